/// How pictures are scaled along one axis as Pillow does it: weights from a kernel, antialiased going down.
struct Taps {
    struct Kernel: Sendable {
        let support: Double
        let weight: @Sendable (Double) -> Double
    }

    /// First pixel of each result.
    private var first: [Int] = []
    /// Weights of each result's pixels, `reach` places each, of which `counts` are used.
    private var weights: [Double] = []
    /// The same in 22 binary digits.
    private var whole: [Int] = []
    private var counts: [Int] = []
    private let reach: Int

    private static let bits = 22

    /// Taps outside the picture are left out, and the rest renormalised. Lengths are 1 or more.
    init(from: Int, to: Int, _ kernel: Kernel) {
        let scale = Double(from) / Double(to)
        let stretch = max(scale, 1)
        let support = kernel.support * stretch
        reach = Int(support.rounded(.up)) * 2 + 1
        for i in 0..<to {
            let centre = (Double(i) + 0.5) * scale
            let start = max(0, Int(centre - support + 0.5))
            let count = min(from, Int(centre + support + 0.5)) - start
            let some = (0..<count).map { kernel.weight((Double($0 + start) - centre + 0.5) * (1 / stretch)) }
            let sum = some.reduce(0, +)
            let shares = some.map { $0 / sum } + repeatElement(0, count: reach - count)
            first.append(start)
            counts.append(count)
            weights += shares
            whole += shares.map { Int($0 * Double(1 << Self.bits) + ($0 < 0 ? -0.5 : 0.5)) }
        }
    }

    /// Weighted sums along one axis, of `step` neighbouring values at a time: along rows with the picture's channels as
    /// `step` and its rows as `lines`; along columns with a whole row as `step` and 1 as `lines`.
    func pass(_ values: [Float], lines: Int, step: Int) -> [Float] {
        run(values, lines: lines, step: step) { start, i, values in
            var sum = 0.0
            var at = start
            for k in i * reach..<i * reach + counts[i] {
                sum += Double(values[at]) * weights[k]
                at += step
            }
            return Float(sum)
        }
    }

    /// ``pass(_:lines:step:)`` for 8 bits, as Pillow does it: with weights of 22 binary digits, rounded half up.
    func pass(_ levels: [UInt8], lines: Int, step: Int) -> [UInt8] {
        run(levels, lines: lines, step: step) { start, i, levels in
            var sum = 1 << (Self.bits - 1)
            var at = start
            for k in i * reach..<i * reach + counts[i] {
                sum += Int(levels[at]) * whole[k]
                at += step
            }
            return UInt8(min(max(sum >> Self.bits, 0), 255))
        }
    }

    @inline(__always)
    private func run<Value>(
        _ values: [Value], lines: Int, step: Int, _ sum: (_ start: Int, _ i: Int, _ values: [Value]) -> Value
    ) -> [Value] {
        let lineFrom = values.count / lines
        var result: [Value] = []
        result.reserveCapacity(lines * first.count * step)
        for line in 0..<lines {
            for i in first.indices {
                let start = line * lineFrom + first[i] * step
                for c in 0..<step { result.append(sum(start + c, i, values)) }
            }
        }
        return result
    }
}
