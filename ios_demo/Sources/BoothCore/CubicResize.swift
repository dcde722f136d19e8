/// OpenCV's INTER_CUBIC, by which tiny faces are enlarged before they are searched: a = -0.75, weights of 11 bits.
enum CubicResize {
    private static let sharpness = -0.75
    private static let bits = 11

    private struct Taps {
        let places: [Int]
        let weights: [Int]
    }

    /// The picture at a larger size.
    static func enlarge(_ image: Pixels, width: Int, height: Int) -> Pixels {
        let columns = taps(image.width, width), rows = taps(image.height, height)
        var wide = [Int32](repeating: 0, count: width * image.height * 3)
        for y in 0..<image.height {
            for x in 0..<width {
                for c in 0..<3 {
                    var sum = 0
                    for k in 4 * x..<4 * x + 4 {
                        sum += columns.weights[k] * Int(image.rgb[(y * image.width + columns.places[k]) * 3 + c])
                    }
                    wide[(y * width + x) * 3 + c] = Int32(sum)
                }
            }
        }
        var result = Pixels(width: width, height: height)
        for y in 0..<height {
            for i in 0..<width * 3 {
                var sum = 1 << (2 * bits - 1)
                for k in 4 * y..<4 * y + 4 { sum += rows.weights[k] * Int(wide[rows.places[k] * width * 3 + i]) }
                result.rgb[y * width * 3 + i] = UInt8(min(max(sum >> (2 * bits), 0), 255))
            }
        }
        return result
    }

    /// Four pixels and their weights for each result; pixels beyond the edge are the edge's.
    private static func taps(_ from: Int, _ to: Int) -> Taps {
        var places: [Int] = [], weights: [Int] = []
        for i in 0..<to {
            let at = (Double(i) + 0.5) * (Double(from) / Double(to)) - 0.5
            let whole = at.rounded(.down)
            for (k, weight) in kernel(at - whole).enumerated() {
                places.append(min(max(Int(whole) - 1 + k, 0), from - 1))
                weights.append(Int((weight * Double(1 << bits) + 0.5).rounded(.down)))
            }
        }
        return Taps(places: places, weights: weights)
    }

    private static func kernel(_ t: Double) -> [Double] {
        let a = sharpness
        func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
        func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
        let first = [far(t + 1), near(t), near(1 - t)]
        return first + [1 - first[0] - first[1] - first[2]]
    }
}
