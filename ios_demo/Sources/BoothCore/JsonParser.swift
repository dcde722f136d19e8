/// From bytes that are known to be UTF-8 to ``Json``.
struct JsonParser {
    private let text: [UInt8]
    private let wholeOnly: Bool
    private var at = 0

    private static let mostDepth = 100

    init(text: [UInt8], wholeOnly: Bool) {
        self.text = text
        self.wholeOnly = wholeOnly
    }

    mutating func whole() throws -> Json {
        let result = try value(depth: 0)
        space()
        guard at == text.count else { throw fail("something stands behind the value") }
        return result
    }

    private func fail(_ what: String) -> Json.Failure { Json.Failure(description: "\(what) at byte \(at)") }

    private var next: UInt8? { at < text.count ? text[at] : nil }

    private mutating func space() {
        while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) throws {
        guard passes(byte) else { throw fail("no \(Character(Unicode.Scalar(byte)))") }
    }

    /// Whether this byte stands here; it is passed.
    private mutating func passes(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func passes(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard text.count - at >= count else { return false }
        for i in 0..<count where text[at + i] != word.utf8Start[i] { return false }
        at += count
        return true
    }

    private mutating func value(depth: Int) throws -> Json {
        guard depth <= Self.mostDepth else { throw fail("too deep") }
        space()
        guard let byte = next else { throw fail("nothing") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try list(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: break
        }
        if passes("true") { return .bool(true) }
        if passes("false") { return .bool(false) }
        if passes("null") { return .null }
        throw fail("no value")
    }

    private mutating func object(_ depth: Int) throws -> Json {
        var members: [Json.Member] = []
        // As bytes: Swift takes two spellings of one accented letter for equal, and JSON does not.
        var keys: Set<[UInt8]> = []
        try take(UInt8(ascii: "{"))
        space()
        if passes(UInt8(ascii: "}")) { return .object([]) }
        repeat {
            space()
            let key = try string()
            space()
            try take(UInt8(ascii: ":"))
            guard keys.insert(Array(key.utf8)).inserted else { throw fail("a key stands twice") }
            members.append(.init(key, try value(depth: depth + 1)))
            space()
        } while passes(UInt8(ascii: ","))
        try take(UInt8(ascii: "}"))
        return .object(members)
    }

    private mutating func list(_ depth: Int) throws -> Json {
        var items: [Json] = []
        try take(UInt8(ascii: "["))
        space()
        if passes(UInt8(ascii: "]")) { return .list([]) }
        repeat {
            items.append(try value(depth: depth + 1))
            space()
        } while passes(UInt8(ascii: ","))
        try take(UInt8(ascii: "]"))
        return .list(items)
    }

    private mutating func string() throws -> String {
        try take(UInt8(ascii: "\""))
        var result: [UInt8] = []
        while let byte = next {
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
            guard byte >= 32 else { throw fail("a control character") }
            if byte == UInt8(ascii: "\\") { try escape(into: &result) } else { result.append(byte) }
        }
        throw fail("no end of a string")
    }

    private mutating func escape(into result: inout [UInt8]) throws {
        guard let byte = next else { throw fail("no end of a string") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "u"):
            var units = [try unit()]
            if units[0] & 0xfc00 == 0xd800, passes("\\u") { units.append(try unit()) }
            guard let text = String(validating: units, as: UTF16.self) else { throw fail("half a character") }
            result += Array(text.utf8)
        default: throw fail("a strange escape")
        }
    }

    private mutating func unit() throws -> UInt16 {
        guard text.count - at >= 4 else { throw fail("no \\u") }
        var result: UInt16 = 0
        for byte in text[at..<at + 4] {
            guard byte < 128, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw fail("no \\u") }
            result = result << 4 | UInt16(digit)
        }
        at += 4
        return result
    }

    private mutating func digits() throws {
        guard let byte = next, (48...57).contains(byte) else { throw fail("no number") }
        while let byte = next, (48...57).contains(byte) { at += 1 }
    }

    private mutating func number() throws -> Json {
        let start = at
        _ = passes(UInt8(ascii: "-"))
        if !passes(UInt8(ascii: "0")) { try digits() }
        let integerEnd = at
        if passes(UInt8(ascii: ".")) { try digits() }
        if passes(UInt8(ascii: "e")) || passes(UInt8(ascii: "E")) {
            if !passes(UInt8(ascii: "+")) { _ = passes(UInt8(ascii: "-")) }
            try digits()
        }
        let written = String(decoding: text[start..<at], as: UTF8.self)
        if at == integerEnd, let whole = Int64(written) { return .whole(whole) }
        if wholeOnly { throw fail("\(written.prefix(20)) is no whole number") }
        guard let value = Double(written), value.isFinite else { throw fail("\(written.prefix(20)) is no number that fits") }
        return .number(value)
    }
}
