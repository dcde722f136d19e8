/// What a face looks like and where it turns, in 109 numbers (`docs/gallery-format.md`, Descriptor).
public enum Descriptor {
    private typealias Rule = Rules.Descriptor

    /// Cells a side of the luminance grid, which comes first.
    static let grid = Rule.grid
    static let mean = grid * grid
    static let contrast = mean + 1
    private static let chroma = contrast + 1
    static let landmarks = chroma + 2 * Rule.chromaGrid * Rule.chromaGrid
    static let hasLandmarks = landmarks + 10
    /// Numbers of a descriptor.
    public static let size = hasLandmarks + 1

    /// Luminance of red, green and blue, in their own range.
    static func luma(_ red: Double, _ green: Double, _ blue: Double) -> Double {
        Rule.luma[0] * red + Rule.luma[1] * green + Rule.luma[2] * blue
    }

    /// The descriptor of an aligned square crop, LR or HR; `landmarks` in the crop's pixels, or nil where not known.
    ///
    /// - Throws: ``FaceError`` where the crop is not square or the landmarks are not five finite points.
    public static func of(_ face: Pixels, landmarks points: [Point]?) throws -> [Float] {
        guard face.width == face.height else { throw FaceError("a face of \(face.width) x \(face.height) pixels is not square") }
        let side = face.width
        var light: [Double] = [], red: [Double] = [], blue: [Double] = []
        for at in stride(from: 0, to: face.rgb.count, by: 3) {
            let r = Double(face.rgb[at]) / 255, b = Double(face.rgb[at + 2]) / 255
            let l = luma(r, Double(face.rgb[at + 1]) / 255, b)
            light.append(l)
            red.append(r - l)
            blue.append(b - l)
        }
        let cells = boxMeans(light, side: side, cells: grid)
        let middle = average(cells)
        let spread = average(cells.map { ($0 - middle) * ($0 - middle) }).squareRoot()
        var result = cells.map { Float(($0 - middle) / max(spread, Rule.leastContrast)) }
        result += [Float(middle), Float(spread)]
        result += boxMeans(red, side: side, cells: Rule.chromaGrid).map { Float($0) }
        result += boxMeans(blue, side: side, cells: Rule.chromaGrid).map { Float($0) }
        guard let points else { return result + [Float](repeating: 0, count: 11) }
        guard points.count == 5, points.allSatisfy({ $0.x.isFinite && $0.y.isFinite }) else {
            throw FaceError("a face's landmarks are five finite points", hint: "eyes, nose and mouth corners")
        }
        for (point, usual) in zip(points, Rule.template) {
            result += [Float(point.x / Double(side) - usual[0]), Float(point.y / Double(side) - usual[1])]
        }
        return result + [1]
    }

    /// Exact means over a grid of `cells` a side: a pixel counts by the length that it shares with the cell.
    static func boxMeans(_ image: [Double], side: Int, cells: Int) -> [Double] {
        let weights = overlaps(side: side, cells: cells)
        var rows = [Double](repeating: 0, count: cells * side)
        for i in 0..<cells {
            for p in 0..<side where weights[i * side + p] > 0 {
                let weight = weights[i * side + p]
                for x in 0..<side { rows[i * side + x] += weight * image[p * side + x] }
            }
        }
        var result: [Double] = []
        for i in 0..<cells {
            for j in 0..<cells {
                var sum = 0.0
                for q in 0..<side { sum += weights[j * side + q] * rows[i * side + q] }
                result.append(sum)
            }
        }
        return result
    }

    /// Each pixel's share of each cell, [cells, side]; rows add up to 1.
    private static func overlaps(side: Int, cells: Int) -> [Double] {
        var result: [Double] = []
        for cell in 0..<cells {
            for pixel in 0..<side {
                let shared = min((pixel + 1) * cells, (cell + 1) * side) - max(pixel * cells, cell * side)
                result.append(Double(max(shared, 0)) / Double(side))
            }
        }
        return result
    }
}

/// The mean of some numbers.
func average(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
