package io.edgesr.core

/** The rules of `spec/rules.json`, written by `tools/spec.py`: not to be edited. */
internal object Rules {
    object Alignment {
        const val EYES_FACTOR = 2.0
        const val FACE_FACTOR = 1.8
        const val DROP = 0.1
        const val TOLERANCE = 1e-6
    }

    object Descriptor {
        const val GRID = 8
        const val CHROMA_GRID = 4
        val LUMA = doubleArrayOf(0.299, 0.587, 0.114)
        const val LEAST_CONTRAST = 0.00392156862745098
        val TEMPLATE = listOf(doubleArrayOf(0.378, 0.474), doubleArrayOf(0.622, 0.474), doubleArrayOf(0.5, 0.617), doubleArrayOf(0.396, 0.727), doubleArrayOf(0.604, 0.727))
        const val SIZE = 109
    }

    object Choice {
        val CENTRE = doubleArrayOf(3.5, 4.0)
        val SPREAD = doubleArrayOf(2.0, 2.5)
        const val LEAST_DIFFERENCE = 0.001
        const val LEAST_TURN = 1e-5
        const val SHARPNESS_POWER = 0.25
    }

    object Quality {
        const val SIDE = 128
        val FACE = intArrayOf(28, 38, 100, 110)
        const val LEAST_SHARPNESS = 0.2
        const val ONE_AXIS = 1.43
        const val LEAST_SIZE = 64.0
        const val DARKEST = 0.26
        const val BRIGHT = 0.96
        const val MOST_BRIGHT = 0.6
        const val MOST_YAW = 45.0
        const val MOST_PITCH = 30.0
        const val NOSE_DEPTH = 0.52
        const val NOSE_HEIGHT = 0.565
        const val EYES_TO_MOUTH = 1.01
    }

    object Duplicates {
        const val SAME_PHOTO = 0.006
        const val SAME_FACE = 0.00125
        const val PRINT_GRID = 16
    }

    object Detector {
        const val LONG_SIDE = 1024
        const val LEAST_SCORE = 0.6
        const val MOST_OVERLAP = 0.3
        const val MOST_FACES = 5000
        const val VIEW_SIDE = 112
        const val VIEW_PIXELS = 160
        val VIEWS = intArrayOf(4, 4, 4, 4, 16)
        const val STRIDE = 8
        val MIRRORED = intArrayOf(1, 0, 2, 4, 3)
    }

    object Search {
        const val TILE = 960
        const val OVERLAP = 160
        const val ZOOMED = 2
        const val MOST_ZOOMED = 4000000
        const val SAME = 0.3
    }

    object Regions {
        const val LEAST = 0.6
        const val MOST = 3.0
        const val LARGEST = 144
        const val DOWN_FROM = 0.75
        const val SHOWN = 0.75
        val FACTORS = intArrayOf(1, 2, 3, 4)
        const val MOST_MEGAPIXELS = 50.0
    }

    object Noise {
        val LUMINANCE = doubleArrayOf(0.299, 0.587, 0.114)
        const val GAUSSIAN = 0.6745
    }

    object Paste {
        const val FEATHER = 0.35
        const val ROUNDNESS = 4.0
    }

    object Gallery {
        const val FORMAT = "edgesr-gallery"
        const val FORMAT_VERSION = 2
        const val STEPS = "scales"
        val SCALES = intArrayOf(2, 4, 8, 16)
        const val LEAST_LR = 4
        const val MOST_LR = 256
        const val MOST_HEADER = 1048576
        const val MOST_DATA = 536870912
        const val MOST_ENTRIES = 1000
        const val MOST_SECTIONS = 8
        const val MOST_MAPS = 8
        const val MOST_CODES = 8
        const val MOST_PARTS = 8
        const val MOST_CHANNELS = 1024
        const val MOST_SIDE = 1024
        const val MOST_VECTOR = 4096
        const val MOST_MEASURES = 16
        const val MOST_THOUSANDTHS = 1000000000
        const val MOST_EXTENSIONS = 16
        const val MOST_EXTENSION = 1000
        const val MOST_TEXT = 200
        const val LEAST_STEP = 9.094947017729282e-13
        const val MOST_STEP = 1099511627776.0
    }
}
