/// The rules of `spec/rules.json`, written by `tools/spec.py`: not to be edited.
public enum Rules {
    public enum Alignment {
        public static let eyesFactor = 2.0
        public static let faceFactor = 1.8
        public static let drop = 0.1
        public static let tolerance = 1e-6
    }

    public enum Descriptor {
        public static let grid = 8
        public static let chromaGrid = 4
        public static let luma: [Double] = [0.299, 0.587, 0.114]
        public static let leastContrast = 0.00392156862745098
        public static let template: [[Double]] = [[0.378, 0.474], [0.622, 0.474], [0.5, 0.617], [0.396, 0.727], [0.604, 0.727]]
        public static let size = 109
    }

    public enum Choice {
        public static let centre: [Double] = [3.5, 4.0]
        public static let spread: [Double] = [2.0, 2.5]
        public static let leastDifference = 0.001
        public static let leastTurn = 1e-5
        public static let sharpnessPower = 0.25
    }

    public enum Quality {
        public static let side = 128
        public static let face: [Int] = [28, 38, 100, 110]
        public static let leastSharpness = 0.2
        public static let oneAxis = 1.43
        public static let leastSize = 64.0
        public static let darkest = 0.26
        public static let bright = 0.96
        public static let mostBright = 0.6
        public static let mostYaw = 45.0
        public static let mostPitch = 30.0
        public static let noseDepth = 0.52
        public static let noseHeight = 0.565
        public static let eyesToMouth = 1.01
    }

    public enum Duplicates {
        public static let samePhoto = 0.006
        public static let sameFace = 0.00125
        public static let printGrid = 16
    }

    public enum Detector {
        public static let longSide = 1024
        public static let leastScore = 0.6
        public static let mostOverlap = 0.3
        public static let mostFaces = 5000
        public static let viewSide = 112
        public static let viewPixels = 160
        public static let views: [Int] = [4, 4, 4, 4, 16]
        public static let stride = 8
        public static let mirrored: [Int] = [1, 0, 2, 4, 3]
    }

    public enum Search {
        public static let tile = 960
        public static let overlap = 160
        public static let zoomed = 2
        public static let mostZoomed = 4000000
        public static let same = 0.3
    }

    public enum Regions {
        public static let least = 0.6
        public static let most = 3.0
        public static let largest = 144
        public static let downFrom = 0.75
        public static let shown = 0.75
        public static let factors: [Int] = [1, 2, 3, 4]
        public static let mostMegapixels = 50.0
    }

    public enum Noise {
        public static let luminance: [Double] = [0.299, 0.587, 0.114]
        public static let gaussian = 0.6745
    }

    public enum Paste {
        public static let feather = 0.35
        public static let roundness = 4.0
    }

    public enum Gallery {
        public static let format = "edgesr-gallery"
        public static let formatVersion = 2
        public static let steps = "scales"
        public static let scales: [Int] = [2, 4, 8, 16]
        public static let leastLr = 4
        public static let mostLr = 256
        public static let mostHeader = 1048576
        public static let mostData = 536870912
        public static let mostEntries = 1000
        public static let mostSections = 8
        public static let mostMaps = 8
        public static let mostCodes = 8
        public static let mostParts = 8
        public static let mostChannels = 1024
        public static let mostSide = 1024
        public static let mostVector = 4096
        public static let mostMeasures = 16
        public static let mostThousandths = 1000000000
        public static let mostExtensions = 16
        public static let mostExtension = 1000
        public static let mostText = 200
        public static let leastStep = 9.094947017729282e-13
        public static let mostStep = 1099511627776.0
    }
}
