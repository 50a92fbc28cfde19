"""Make core/training/assets/mouth_shuts.safetensors:
`python -m tools.fit_mouth OUT`.

passages, sentences.tsv   what espeak-ng says, in seventeen languages
sounds                    sounds in which nobody speaks: rooms, breath, music
fit                       labels by phoneme times, logistic regression from the network's blocks
"""
