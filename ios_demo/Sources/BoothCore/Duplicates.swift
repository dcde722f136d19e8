/// Whether two photos are one picture, stored twice: by a fingerprint of the whole photo where both are at hand, else by
/// their descriptors (`docs/personalization.md`, Duplicates). Fingerprints are pictures in effect, and never stored.
public enum Duplicates {
    private static let cells = Rules.Duplicates.printGrid
    private static let grid = Descriptor.grid
    /// Pillow's box filter.
    private static let box = Taps.Kernel(support: 0.5) { (distance: Double) -> Double in distance > -0.5 && distance <= 0.5 ? 1 : 0 }

    /// Luminance of the whole photo on 16 x 16 cells, less its mean, over its deviation.
    public static func fingerprint(_ photo: Pixels) -> [Float] {
        let columns = Taps(from: photo.width, to: cells, box)
        var narrow: [UInt8] = []
        // A row at a time: a photo's luminance would take a third of the photo's memory.
        var row = [UInt8](repeating: 0, count: photo.width)
        for y in 0..<photo.height {
            for x in 0..<photo.width {
                let at = (y * photo.width + x) * 3
                // Pillow's luminance: 0.299, 0.587 and 0.114 in 16 binary digits, rounded.
                let (red, green, blue) = (Int(photo.rgb[at]), Int(photo.rgb[at + 1]), Int(photo.rgb[at + 2]))
                let sum: Int = red * 19595 + green * 38470 + blue * 7471
                row[x] = UInt8((sum + 0x8000) >> 16)
            }
            narrow += columns.pass(row, lines: 1, step: 1)
        }
        let levels = Taps(from: photo.height, to: cells, box).pass(narrow, lines: 1, step: cells).map { Double($0) }
        let mean = average(levels)
        let deviation = average(levels.map { ($0 - mean) * ($0 - mean) }).squareRoot()
        return levels.map { Float(($0 - mean) / max(deviation, 1)) }
    }

    /// Whether two fingerprints are of one photo, stored again with other compression or at another size.
    public static func samePhoto(_ one: [Float], _ other: [Float]) -> Bool {
        let off = zip(one, other).map { one, other in Double(one) - Double(other) }
        return one.count == other.count && dot(off, off) / Double(off.count) < Rules.Duplicates.samePhoto
    }

    /// Whether two descriptors are of one photo's face; errs a little more often than fingerprints do.
    public static func sameFace(_ one: [Float], _ other: [Float]) -> Bool {
        one.count == Descriptor.size && other.count == Descriptor.size && difference(one, other) < Rules.Duplicates.sameFace
    }

    /// Mean squared difference of two descriptors' luminance grids after the best small shift, turn, zoom and change of
    /// light: crops of one photo's copies are aligned a little differently.
    static func difference(_ one: [Float], _ other: [Float]) -> Double {
        let inner = (1..<grid - 1).flatMap { y in (1..<grid - 1).map { y * grid + $0 } }
        func mean(_ i: Int) -> Double { (Double(one[i]) + Double(other[i])) / 2 }
        let right = inner.map { (mean($0 + 1) - mean($0 - 1)) / 2 }
        let down = inner.map { (mean($0 + grid) - mean($0 - grid)) / 2 }
        let x = inner.map { Double($0 % grid) / Double(grid) - 0.5 }
        let y = inner.map { Double($0 / grid) / Double(grid) - 0.5 }
        let zoom: [Double] = inner.indices.map { right[$0] * x[$0] + down[$0] * y[$0] }
        let turn: [Double] = inner.indices.map { right[$0] * y[$0] - down[$0] * x[$0] }
        let light: [Double] = inner.map { Double(one[$0]) }
        let moves = [right, down, zoom, turn, light, [Double](repeating: 1, count: inner.count)]
        let rest = withoutMoves(inner.map { Double(other[$0]) }, moves)
        return dot(rest, rest) / Double(rest.count)
    }

    /// What `moves` cannot make of `target`: Gram-Schmidt, twice over for the digits that once leaves.
    private static func withoutMoves(_ target: [Double], _ moves: [[Double]]) -> [Double] {
        var basis: [[Double]] = []
        func less(_ vector: [Double]) -> [Double] {
            (basis + basis).reduce(vector) { rest, unit in
                let share = dot(rest, unit)
                return zip(rest, unit).map { $0 - share * $1 }
            }
        }
        for move in moves {
            let direction = less(move)
            let length = dot(direction, direction).squareRoot()
            // A move that the ones before it can make adds nothing, and its rounding errors are no direction.
            if length > 1e-9 * dot(move, move).squareRoot() { basis.append(direction.map { $0 / length }) }
        }
        return less(target)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for (one, other) in zip(a, b) { sum += one * other }
        return sum
    }
}
