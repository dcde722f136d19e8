import Foundation

/// A face: its box in pixels, five landmarks (eyes, nose, mouth corners, image left first), a score from 0 to 1.
public struct Face: Equatable, Sendable {
    public let left: Double
    public let top: Double
    public let width: Double
    public let height: Double
    public let landmarks: [Point]
    public let score: Double

    public init(left: Double, top: Double, width: Double, height: Double, landmarks: [Point], score: Double) {
        self.left = left
        self.top = top
        self.width = width
        self.height = height
        self.landmarks = landmarks
        self.score = score
    }

    /// The face's square.
    ///
    /// - Throws: ``FaceError`` where its landmarks are none.
    public var alignment: Alignment { get throws { try Alignment(landmarks: landmarks) } }

    var area: Double { width * height }

    /// The face in a picture that is `x` times as wide and `y` times as high, moved by `left` and `top` afterwards.
    func scaled(_ x: Double, _ y: Double, left dx: Double = 0, top dy: Double = 0) -> Face {
        let points = landmarks.map { Point($0.x * x + dx, $0.y * y + dy) }
        return Face(left: left * x + dx, top: top * y + dy, width: width * x, height: height * y, landmarks: points, score: score)
    }

    func with(_ landmarks: [Point]) -> Face {
        Face(left: left, top: top, width: width, height: height, landmarks: landmarks, score: score)
    }
}

/// What YuNet's graph makes of a picture with zeros to the right and below: its outputs by name (`cls_8`, `obj_8`,
/// `bbox_8`, `kps_8`, and those of the strides 16 and 32), over `width` x `height` pixels, which are multiples of 32.
public struct YunetOutputs: Sendable {
    public let width: Int
    public let height: Int
    public let values: [String: [Float]]

    public init(width: Int, height: Int, values: [String: [Float]]) {
        self.width = width
        self.height = height
        self.values = values
    }
}

/// Runs YuNet's graph.
public protocol FaceNetwork: Sendable {
    /// The graph on a picture at the upper left of one whose sides are multiples of 32, with zeros beside it. It takes blue,
    /// green, red from 0 to 255.
    func run(_ picture: Pixels) async throws -> YunetOutputs
}

/// From YuNet's outputs to faces, as OpenCV's FaceDetectorYN does it: in float32.
public enum Yunet {
    private static let strides = [8, 16, 32]

    /// OpenCV pads a picture's sides to multiples of so many pixels.
    public static func padded(_ length: Int) -> Int { (length + 31) / 32 * 32 }

    /// Blue, green and red planes, 0 to 255, [1, 3, height, width], of a picture with zeros to the right and below.
    ///
    /// - Throws: ``PictureError`` where it does not fit.
    public static func input(_ image: Pixels, width: Int, height: Int) throws -> [Float] {
        guard width >= image.width, height >= image.height, width <= Pixels.mostSide, height <= Pixels.mostSide else {
            throw PictureError("\(image.width) x \(image.height) pixels do not fit into the face detector's \(width) x \(height)")
        }
        let plane = width * height
        var result = [Float](repeating: 0, count: 3 * plane)
        for y in 0..<image.height {
            for x in 0..<image.width {
                let from = (y * image.width + x) * 3, to = y * width + x
                result[to] = Float(image.rgb[from + 2])
                result[plane + to] = Float(image.rgb[from + 1])
                result[2 * plane + to] = Float(image.rgb[from])
            }
        }
        return result
    }

    /// Faces with a score above `threshold` in a picture of `width` x `height`, the surest first.
    ///
    /// - Throws: ``BundleError`` where the outputs are not those of such a picture.
    static func decode(_ outputs: YunetOutputs, width: Int, height: Int, threshold: Double) throws -> [Face] {
        var found: [Face] = []
        for stride in strides {
            let columns = outputs.width / stride, rows = outputs.height / stride
            func take(_ name: String, _ each: Int) throws -> [Float] {
                let values = outputs.values["\(name)_\(stride)"] ?? []
                guard values.count == columns * rows * each else {
                    throw BundleError("the face detector gave \(values.count) numbers as \(name)_\(stride)")
                }
                return values
            }
            let (cls, obj, box, kps) = (try take("cls", 1), try take("obj", 1), try take("bbox", 4), try take("kps", 10))
            // Cells beyond OpenCV's padding do not exist for it.
            for row in 0..<min(padded(height) / stride, rows) {
                for column in 0..<min(padded(width) / stride, columns) {
                    let i = row * columns + column
                    let score = (share(cls[i]) * share(obj[i])).squareRoot()
                    guard score > Float(threshold) else { continue }
                    let face = face(
                        box[4 * i..<4 * i + 4], kps[10 * i..<10 * i + 10], (Float(column), Float(row)), Float(stride), score)
                    if let face { found.append(face) }
                }
            }
        }
        let order = found.indices.sorted { found[$0].score == found[$1].score ? $0 < $1 : found[$0].score > found[$1].score }
        var kept: [Face] = []
        for i in order.prefix(Rules.Detector.mostFaces) where !kept.contains(where: { overlap($0, found[i]) > Rules.Detector.mostOverlap })
        {
            kept.append(found[i])
        }
        return kept
    }

    private static func share(_ value: Float) -> Float { min(max(value, 0), 1) }

    /// nil where the numbers are beyond any picture: damaged outputs.
    private static func face(
        _ box: ArraySlice<Float>, _ points: ArraySlice<Float>, _ cell: (column: Float, row: Float), _ stride: Float, _ score: Float
    ) -> Face? {
        let (b, p) = (box.startIndex, points.startIndex)
        let cx = (cell.column + box[b]) * stride, cy = (cell.row + box[b + 1]) * stride
        let w = Float(exp(Double(box[b + 2]))) * stride, h = Float(exp(Double(box[b + 3]))) * stride
        let landmarks = (0..<5).map { n in
            Point(Double((points[p + 2 * n] + cell.column) * stride), Double((points[p + 2 * n + 1] + cell.row) * stride))
        }
        let most = Double(Pixels.mostSide)
        let numbers = [Double(cx), Double(cy), Double(w), Double(h)] + landmarks.flatMap { [$0.x, $0.y] }
        guard numbers.allSatisfy({ $0.magnitude <= most }) else { return nil }
        return Face(
            left: Double(cx - w / 2), top: Double(cy - h / 2), width: Double(w), height: Double(h), landmarks: landmarks,
            score: Double(score))
    }

    /// Intersection over union of two boxes in whole pixels.
    private static func overlap(_ a: Face, _ b: Face) -> Double {
        let (p, q) = (whole(a), whole(b))
        let across = max(0, min(p[0] + p[2], q[0] + q[2]) - max(p[0], q[0]))
        let down = max(0, min(p[1] + p[3], q[1] + q[3]) - max(p[1], q[1]))
        let both = p[2] * p[3] + q[2] * q[3]
        return both <= 0 ? 1 : Double(across * down) / Double(both - across * down)
    }

    private static func whole(_ face: Face) -> [Int] { [face.left, face.top, face.width, face.height].map { Int($0) } }
}
