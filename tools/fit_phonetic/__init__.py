"""Make core/audio/assets/phonetic.safetensors:
`python -m tools.fit_phonetic`.

speech, script.tsv      texts and voices; sound and phoneme times from espeak-ng
classes                 which mouth shapes a phoneme passes through
fit                     the readout: ridge regression from the network's layers to the mouth shapes
pack                    the network's tensors, from hama's file, renamed for this program
"""
