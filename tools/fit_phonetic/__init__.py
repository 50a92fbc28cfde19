"""How core/audio/assets/phonetic.safetensors is made:
`python -m tools.fit_phonetic`.

speech, script.tsv      what is said, by which voices; sound and phoneme times from espeak-ng
classes                 which mouth shapes a phoneme passes through
fit                     the readout: ridge regression from the network's layers to the mouth shapes
pack                    the network's tensors, from hama's file to the names of the program
"""
