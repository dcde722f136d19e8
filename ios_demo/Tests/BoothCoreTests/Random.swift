/// Numbers that look random and are the same every time (SplitMix64).
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    private static let signs = Array("{}[]\":,0123456789-+.eE\\u nulltruefalse\u{0}".utf8) + [0xff]
    /// Numbers at which arithmetic breaks where nobody looks.
    private static let numbers = [
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "4611686018427387904",
        "2147483648", "-1", "0", "1e308", "-1e999", "0.5",
    ]

    /// A file with some bytes changed, cut out, doubled, or exchanged for what JSON is made of, within its first bytes.
    mutating func damaged(_ file: [UInt8], within: Int) -> [UInt8] {
        var bytes = file
        for _ in 0...Int.random(in: 0...2, using: &self) where !bytes.isEmpty {
            let at = Int.random(in: 0..<min(within, bytes.count), using: &self)
            switch Int.random(in: 0..<7, using: &self) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes[at] = Self.signs.randomElement(using: &self) ?? 0
            case 2: bytes.removeSubrange(at..<min(at + Int.random(in: 1...8, using: &self), bytes.count))
            case 3:
                let doubled = bytes[at..<min(at + Int.random(in: 1...40, using: &self), bytes.count)]
                bytes.insert(contentsOf: Array(doubled), at: at)
            case 4: bytes = Array(bytes[..<at])
            case 5:
                // A whole number in the text becomes one that is hard.
                var end = at
                while end < bytes.count, (48...57).contains(bytes[end]) { end += 1 }
                if end > at { bytes.replaceSubrange(at..<end, with: Self.numbers.randomElement(using: &self).map { Array($0.utf8) } ?? []) }
            default: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            }
        }
        return bytes
    }
}
