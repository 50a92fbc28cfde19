"""All rules: what is judged, by which limits, why, and what to do.

The reasons name what a training sees: square pictures (512 pixels by default) in which a face is
about 270 pixels high, one colour for each Gaussian, and 25 frames of sound a second."""

from __future__ import annotations

from .record import BAD, FAIR, GOOD
from .rule import Case, Kind, Limit, Rule

PICTURE: tuple[Rule, ...] = (
    Limit(
        "face size", "face", "px", 200, 120,
        "The face is {value:.0f} pixels high in the video.",
        "Film from nearer, or at a higher resolution, so that the face is 200 pixels high or more.",
        "at 200 pixels an open mouth is 20 pixels high and a tooth 4; at 120 teeth and lids are 1 "
        "to 2 pixels, which no training can find again",
        lower_is_worse=True,
    ),
    Limit(
        "sharpness", "blur", "px", 2.2, 4,
        "Edges in the face are blurred by {value:.1f} pixels of the training's pictures.",
        "Focus on the eyes, clean the lens, or train with a smaller --size.",
        "eleven people at 256 pixels give 0.8 to 1.7; detail below twice the blur is gone, and "
        "teeth and lashes are 4 to 6 pixels wide",
    ),
    Limit(
        "motion blur", "blurred", "%", 15, 40,
        "{value:.0f} % of the frames are clearly more blurred than the others.",
        "Use more light and a shorter exposure, 1/100 s or less, and move more slowly.",
        "a few blurred frames average out; where they are usual the head learns to be blurred",
    ),
    Limit(
        "compression", "bits", "bits a pixel", 0.02, 0.005,
        "The video has {value:.3f} bits for each pixel of the training's pictures.",
        "Use the camera's own file, or export again at a higher bit rate.",
        "faces in H.264 (newer codecs need about half): 0.035 are 36 to 38 dB, 0.017 are 33 to 35, "
        "0.005 are 26 to 28; a good training reaches 35 inside the head",
        lower_is_worse=True,
    ),
    Limit(
        "brightness", "brightness", "of 255", 45, 25,
        "The face has a brightness of {value:.0f} of 255.",
        "Use more light on the face, or a longer exposure.",
        "below 45 cameras and codecs leave a few levels and noise; dark skin in usual light has 60 "
        "and more",
        lower_is_worse=True,
    ),
    Limit(
        "contrast", "contrast", "of 255", 40, 20,
        "Between dark and bright parts of the face lie {value:.0f} of 255 levels.",
        "Avoid haze, light from behind and flat picture profiles.",
        "eleven people give 70 to 153; from 40 down an error of 2 levels is 5 % of the face",
        lower_is_worse=True,
    ),
    Limit(
        "clipped highlights", "clipped", "%", 5, 20,
        "{value:.1f} % of the face is so bright that its colour is lost.",
        "Expose the face less, or soften the light.",
        "a clipped spot stays white on a head that turns; a shine on nose and forehead is 1 to 3 %",
    ),
    Limit(
        "even light", "uneven", "stops", 1.5, 3,
        "One half of the face is brighter than the other by {value:.1f} stops.",
        "Light the face from the front, or put a white surface on its dark side.",
        "portraits are lit with 1 to 2 stops; at 3 the dark half has an eighth of the light, and "
        "the shadow is learnt as the skin's colour",
    ),
    Limit(
        "steady light", "flicker", "%", 20, 50,
        "The face's brightness changes by {value:.0f} % during the film.",
        "Switch off automatic exposure and white balance, and keep changing light off the face.",
        "a Gaussian has one colour: 20 % are 10 levels up and down, an error of 28 dB",
    ),
    Kind(
        "background", "background",
        {
            "still": Case(GOOD, "The background is still."),
            "drifts": Case(
                FAIR, "The background drifts; each frame is trained on its own.",
                "Put the camera on a tripod and use a background that does not move.",
            ),
            "jumps": Case(
                FAIR, "The background jumps; each frame is trained on its own.",
                "Use one uncut take, or a part of it with --start and --seconds.",
            ),
            "zooms": Case(
                FAIR, "The picture zooms slowly; each frame is trained on its own background.",
                "Leave out the zoom that was added in editing, or film without one.",
            ),
            "moves": Case(
                FAIR, "The background moves, or the camera does; each frame is trained on its own.",
                "Put the camera on a tripod and use a background that does not move.",
            ),
        },
        "a training on each frame's own background works; what the head hides there is guessed",
    ),
)  # fmt: skip

MOVEMENT: tuple[Rule, ...] = (
    Limit(
        "view", "view", "degrees", 25, 40,
        "The head is usually turned by {value:.0f} degrees to a side.",
        "Look at the camera, or put it in front of the face.",
        "from 25 degrees on the far eye and corner of the mouth are narrow; from 45 on frames are "
        "left out",
    ),
    Limit(
        "head turns", "turns", "degrees", 8, 2,
        "The head turns by {value:.0f} degrees.",
        "Turn the head a little to all sides while speaking, by 10 to 30 degrees.",
        "focal length and depth follow from turns: 8 degrees move the tip of the nose by 5 pixels "
        "against the cheeks, 2 degrees by less than the landmarks' error",
        lower_is_worse=True,
    ),
    Limit(
        "far turns", "far", "%", 20, None,
        "In {value:.0f} % of the frames the head is turned by more than 30 degrees from its usual "
        "view.",
        "Speak mostly towards the camera.",
        "views that are rare are learnt from few frames, and hide half of the mouth",
    ),
    Limit(
        "blinks", "blinks", "", 5, 1,
        "The number of blinks is {value:.0f}.",
        "Use a longer part of the film; without blinks the avatar's eyes will not close.",
        "a blink is about five frames; closing eyes are learnt from them alone",
        lower_is_worse=True,
    ),
    Limit(
        "mouth movement", "mouth", "%", 5, 2.5,
        "The lips' opening changes by {value:.0f} % of the distance between the eyes.",
        "Speak clearly, with open vowels.",
        "a still mouth seems to move by 2 % because landmarks are not exact; people who talk give "
        "7 to 20",
        lower_is_worse=True,
    ),
)  # fmt: skip

SOUND: tuple[Rule, ...] = (
    Kind(
        "lips and sound", "belongs",
        {
            "yes": Case(GOOD, "The sound belongs to these lips."),
            "unknown": Case(
                FAIR,
                "It is not certain that the sound belongs to these lips: they follow it little, or "
                "the film is short.",
                "Look at the video; use 20 s or more with a visible mouth.",
            ),
            "no": Case(
                BAD, "The sound explains less of the lips' movements than a person's own does.",
                "Look at the video: give it the sound of this person, with a visible mouth.",
            ),
        },
        "no lip movement can be learnt from somebody else's sound; lip_sync.py says how that is "
        "decided",
    ),
    Limit(
        "lip sync", "apart", "ms", 80, 160,
        "Sound and lips are {value:.0f} ms apart{moved_text}.",
        "Watch the lips, and give the true offset with --sound-offset.",
        "80 ms are within the error of the measure; the network hears 160 ms at once, and what "
        "lies outside cannot be learnt",
    ),
    Limit(
        "loudness", "loudness_db", "dB", -40, None,
        "The voice has a level of {value:.0f} dB.",
        "Record louder, or with the microphone nearer.",
        "quieter voices are made louder, and their noise too",
        lower_is_worse=True,
    ),
    Limit(
        "noise", "clear", "dB", 20, 10,
        "The voice is {value:.0f} dB louder than the noise.",
        "Record in a quiet room, without music, or clean the sound first.",
        "speech without pauses for breath reaches 25 dB; at 10 dB soft consonants are below the "
        "noise",
        lower_is_worse=True,
    ),
    Limit(
        "clipped sound", "clipped_sound", "%", 0.02, 1,
        "{value:.2g} % of the sound is clipped.",
        "Record a little quieter.",
        "single samples are not heard; from 1 % on clipping sounds like noise in all bands",
    ),
    Limit(
        "gaps in the sound", "holes", "%", 1, 20,
        "The sound is missing in {value:.1f} % of the film.",
        "Copy the film again from its source, or take a part with --start and --seconds.",
        "lips that speak without sound teach the mouth to move in silence",
    ),
)  # fmt: skip

FILM: tuple[Rule, ...] = (
    Limit(
        "length", "usable", "s", 180, 20,
        "{value:.0f} s of the film can be used.",
        "Use 3 to 5 minutes; with less the mouth follows unknown words less well.",
        "3 to 5 minutes are usual in the field; 20 s are some 200 speech sounds, so that many "
        "mouth shapes occur once or never",
        lower_is_worse=True,
    ),
    Limit(
        "frames left out", "left_out_share", "%", 10, 50,
        "{value:.0f} % of the frames are left out{left_out_text}.",
        "Take an uncut part that shows one face from the front, with --start and --seconds.",
        "what is left out is lost, and each gap makes a head movement jump",
    ),
    Limit(
        "frame rate", "rate", "pictures/s", 20, 12,
        "The video has {value:.3g} pictures a second.",
        "Film with 25 pictures a second or more.",
        "below 20 every fifth frame is repeated while the sound goes on; at 12 a closed mouth of "
        "m, b or p (80 ms) falls between two pictures",
        lower_is_worse=True,
    ),
    Limit(
        "repeated pictures", "repeated", "%", 5, None,
        "{value:.0f} % of the pictures are the same as the one before.",
        "Use the camera's own file, and film in good light at a fixed rate.",
        "the mouth stands still for 40 ms while the sound goes on; single ones average out",
    ),
    Limit(
        "dropped pictures", "longer_step", "times", 1.4, None,
        "At a fixed interval, steps between pictures are {value:.1f} times as long as the others"
        "{interval_text}.",
        "Use the camera's own file, not one whose rate was changed.",
        "lips are up to half a step early or late around it, which blurs the mouth a little",
    ),
)  # fmt: skip

RULES = (*PICTURE, *MOVEMENT, *SOUND, *FILM)
