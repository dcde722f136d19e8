/// What a picture's values are: bytes of a photo, or floats of what is made of one.
protocol SampleValue: Sendable {
    var double: Double { get }
}

extension UInt8: SampleValue {
    var double: Double { Double(self) }
}

extension Float: SampleValue {
    var double: Double { Double(self) }
}

/// Values of a picture [height, width, 3] between its pixels: bilinear or cubic (Keys, a = -0.5), mirrored beyond the
/// edges.
struct Sampler<Value: SampleValue> {
    private let values: [Value]
    private let width: Int
    private let height: Int
    private let cubic: Bool

    init(_ values: [Value], width: Int, height: Int, cubic: Bool) {
        self.values = values
        self.width = width
        self.height = height
        self.cubic = cubic
    }

    /// Red, green, blue (and 0) at pixel index (x, y), where whole numbers are pixel centres.
    func at(_ x: Double, _ y: Double) -> SIMD4<Double> {
        let left = x.rounded(.down), top = y.rounded(.down)
        let across = weights(x - left), down = weights(y - top)
        let count = cubic ? 4 : 2, first = 1 - count / 2
        var columns = SIMD4<Int>.zero
        for i in 0..<count { columns[i] = 3 * mirror(Int(left) + first + i, width) }
        var sum = SIMD4<Double>.zero
        for j in 0..<count {
            let row = 3 * width * mirror(Int(top) + first + j, height)
            for i in 0..<count {
                let at = row + columns[i]
                sum += across[i] * down[j] * SIMD4(values[at].double, values[at + 1].double, values[at + 2].double, 0)
            }
        }
        return sum
    }

    private func weights(_ t: Double) -> SIMD4<Double> {
        if !cubic { return SIMD4(1 - t, t, 0, 0) }
        return SIMD4(
            ((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1, ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t)
    }
}

/// Index into a row of `count` pixels that is mirrored at its edges: ... c b a | a b c | c b a ...
func mirror(_ index: Int, _ count: Int) -> Int {
    if index >= 0 && index < count { return index }
    let rest = index % (2 * count)
    let i = rest < 0 ? rest + 2 * count : rest
    return i < count ? i : 2 * count - 1 - i
}
