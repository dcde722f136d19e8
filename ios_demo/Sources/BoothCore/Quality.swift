import Foundation

/// Whether a photo is worth keeping as an exemplar; the same measures and limits as edgesr's on the desktop.
public struct Quality: Equatable, Sendable {
    /// Why a photo does not become an exemplar.
    public enum Refusal: Equatable, Sendable {
        /// Side of the face's square in the photo, in pixels.
        case tooSmall(Double)
        case tooDark
        /// Share of the face that is white, 0 to 1.
        case tooBright(Double)
        /// The sharpness that it has.
        case blurred(Double)
        /// Degrees to the side, whichever.
        case turnedAside(Double)
        /// Degrees up, or down where they are below 0.
        case turnedUp(Double)
    }

    /// Finest detail against coarser, 0 (none) to about 1.
    public let sharpness: Double
    /// Side of the face's square in its photo.
    public let sizePx: Double
    /// Mean luminance of the face, 0 to 1.
    public let exposure: Double
    /// Degrees, > 0 where the face looks to the image's right.
    public let yawDeg: Double
    /// Degrees, > 0 up.
    public let pitchDeg: Double
    /// Degrees, > 0 turned clockwise.
    public let rollDeg: Double
    /// Empty where the photo is good.
    public let refusals: [Refusal]

    private typealias Rule = Rules.Quality
    private static let (left, top, right, bottom) = (Rule.face[0], Rule.face[1], Rule.face[2], Rule.face[3])
    private static let side = Rule.side

    /// The quality of an aligned crop with its `landmarks` in the crop's pixels, and the side of its square in the photo.
    ///
    /// - Throws: ``FaceError`` where the landmarks are no face, or the crop is not square.
    public static func judge(_ face: Pixels, landmarks: [Point], sizePx: Double) throws -> Quality {
        guard face.width == face.height else { throw FaceError("a face of \(face.width) x \(face.height) pixels is not square") }
        let full = stride(from: 0, to: face.rgb.count, by: 3).map { at in
            Descriptor.luma(Double(face.rgb[at]), Double(face.rgb[at + 1]), Double(face.rgb[at + 2])) / 255
        }
        let light = Descriptor.boxMeans(full, side: face.width, cells: side)
        let inner = (top..<bottom).flatMap { y in light[y * side + left..<y * side + right] }
        let pose = try Pose(landmarks: landmarks)
        let sharp = sharpness(light)
        var refusals: [Refusal] = []
        if sizePx < Rule.leastSize { refusals.append(.tooSmall(sizePx)) }
        let white = Double(inner.count { $0 >= Rule.bright }) / Double(inner.count)
        if percentile(inner, 0.95) < Rule.darkest {
            refusals.append(.tooDark)
        } else if white > Rule.mostBright {
            refusals.append(.tooBright(white))
        }
        if sharp < Rule.leastSharpness { refusals.append(.blurred(sharp)) }
        if pose.yawDeg.magnitude > Rule.mostYaw { refusals.append(.turnedAside(pose.yawDeg.magnitude)) }
        if pose.pitchDeg.magnitude > Rule.mostPitch { refusals.append(.turnedUp(pose.pitchDeg)) }
        return Quality(
            sharpness: sharp, sizePx: sizePx, exposure: average(inner), yawDeg: pose.yawDeg, pitchDeg: pose.pitchDeg,
            rollDeg: pose.rollDeg, refusals: refusals)
    }

    private static func percentile(_ values: [Double], _ share: Double) -> Double {
        let sorted = values.sorted()
        let at = share * Double(sorted.count - 1)
        let low = sorted[Int(at.rounded(.down))]
        return low + (sorted[Int(at.rounded(.up))] - low) * (at - at.rounded(.down))
    }

    /// Finest detail of a face against detail four times as coarse: along both axes, or along the one that has less.
    private static func sharpness(_ light: [Double]) -> Double {
        let both = ratio(light, down: true, across: true)
        return min(both, Rule.oneAxis * ratio(light, down: true, across: false), Rule.oneAxis * ratio(light, down: false, across: true))
    }

    private static func ratio(_ light: [Double], down: Bool, across: Bool) -> Double {
        let a = smooth(light, 1, down, across)
        let b = smooth(a, 2, down, across)
        let c = smooth(b, 4, down, across)
        var fine = 0.0, coarse = 0.0
        for y in top..<bottom {
            for i in y * side + left..<y * side + right {
                fine += (light[i] - a[i]) * (light[i] - a[i])
                coarse += (b[i] - c[i]) * (b[i] - c[i])
            }
        }
        let count = Double((bottom - top) * (right - left))
        return (fine / count).squareRoot() / max((coarse / count).squareRoot(), 1 / 255)
    }

    /// (1, 2, 1) / 4 with taps `step` apart, edges repeated.
    private static func smooth(_ image: [Double], _ step: Int, _ down: Bool, _ across: Bool) -> [Double] {
        func inside(_ i: Int) -> Int { min(max(i, 0), side - 1) }
        var now = image
        if down {
            now = image.indices.map { i in
                let (x, y) = (i % side, i / side)
                return (image[inside(y - step) * side + x] + 2 * image[i] + image[inside(y + step) * side + x]) / 4
            }
        }
        guard across else { return now }
        return now.indices.map { i in
            let (x, y) = (i % side, i / side)
            return (now[y * side + inside(x - step)] + 2 * now[i] + now[y * side + inside(x + step)]) / 4
        }
    }
}

/// Where a face looks, from five landmarks, in degrees.
struct Pose {
    let yawDeg: Double
    let pitchDeg: Double
    let rollDeg: Double

    /// - Throws: ``FaceError`` where they are no face.
    init(landmarks p: [Point]) throws {
        let half = try Alignment(landmarks: p).half
        let length = hypot(half.x, half.y)
        let right = Point(half.x / length, half.y / length)
        func along(_ v: Point) -> Double { v.x * right.x + v.y * right.y }
        func downwards(_ v: Point) -> Double { -v.x * right.y + v.y * right.x }
        let eyes = Point((p[0].x + p[1].x) / 2, (p[0].y + p[1].y) / 2)
        let v = Point((p[3].x + p[4].x) / 2 - eyes.x, (p[3].y + p[4].y) / 2 - eyes.y)
        let nose = Point(p[2].x - eyes.x, p[2].y - eyes.y)
        let e = Point(p[1].x - p[0].x, p[1].y - p[0].y)
        let distance = along(e).magnitude
        let way = downwards(v)
        guard way > 0, distance > 0 else { throw FaceError("these landmarks are no face", hint: "the mouth lies above the eyes") }
        let t = downwards(nose) / way
        let s = along(nose) - t * along(v)
        yawDeg = Self.degrees(atan(s / (distance * Rules.Quality.noseDepth)))
        pitchDeg = Self.degrees(atan((Rules.Quality.noseHeight - t) * Rules.Quality.eyesToMouth / Rules.Quality.noseDepth))
        rollDeg = Self.degrees(atan2(e.y, e.x))
    }

    private static func degrees(_ radians: Double) -> Double { radians * 180 / .pi }
}
