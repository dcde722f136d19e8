/// A key of the string catalog, with its arguments.
/// https://developer.apple.com/documentation/swiftui/localizedstringkey
public struct LocalizedStringKey: Equatable, ExpressibleByStringInterpolation, Sendable {
    public let key: String
    let arguments: [Argument]
    enum Argument: Equatable, Sendable { case text(String), whole(Int), number(Double, String) }

    public init(_ value: String) {
        key = value
        arguments = []
    }
    public init(stringLiteral value: String) { self.init(value) }
    public init(stringInterpolation: StringInterpolation) {
        key = stringInterpolation.key
        arguments = stringInterpolation.arguments
    }

    /// https://developer.apple.com/documentation/swiftui/localizedstringkey/stringinterpolation
    public struct StringInterpolation: StringInterpolationProtocol {
        var key = "", arguments: [Argument] = []
        public init(literalCapacity: Int, interpolationCount: Int) {}
        public mutating func appendLiteral(_ literal: String) { key += literal.replacingOccurrences(of: "%", with: "%%") }
        public mutating func appendInterpolation(_ value: String) {
            key += "%@"
            arguments.append(.text(value))
        }
        public mutating func appendInterpolation(_ value: Int) {
            key += "%lld"
            arguments.append(.whole(value))
        }
        public mutating func appendInterpolation(_ value: Double, specifier: String) {
            key += specifier
            arguments.append(.number(value, specifier))
        }
    }

    /// What stands on the screen, by the catalog.
    var shown: String {
        var pattern = HostCatalog.pattern(key, arguments)
        var result = ""
        var left = arguments[...]
        while let percent = pattern.firstIndex(of: "%") {
            result += pattern[..<percent]
            pattern = String(pattern[percent...])
            if pattern.hasPrefix("%%") {
                result += "%"
                pattern.removeFirst(2)
                continue
            }
            guard let end = pattern.dropFirst().firstIndex(where: { "@df".contains($0) }) else { break }
            switch left.popFirst() {
            case .text(let value): result += value
            case .whole(let value): result += String(value)
            case .number(let value, let specifier): result += String(format: specifier, value)
            case nil: break
            }
            pattern = String(pattern[pattern.index(after: end)...])
        }
        return result + pattern
    }
}

/// The app's string catalog, as the build would compile it. Not Apple's.
public enum HostCatalog {
    nonisolated(unsafe) private static var strings: [String: Any] = [:]
    /// Keys that were shown, and those of them that no catalog has.
    nonisolated(unsafe) public private(set) static var used: Set<String> = []
    public static var unknown: Set<String> { used.filter { strings[$0] == nil } }

    public static func load(_ url: URL) throws {
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any]
        strings = all?["strings"] as? [String: Any] ?? [:]
    }

    static func pattern(_ key: String, _ arguments: [LocalizedStringKey.Argument]) -> String {
        used.insert(key)
        func at(_ path: [String]) -> Any? { path.reduce(strings[key]) { ($0 as? [String: Any])?[$1] } }
        let one = arguments.contains(.whole(1)) ? "one" : "other"
        let english = ["localizations", "en"]
        let found =
            at(english + ["variations", "plural", one, "stringUnit", "value"]) ?? at(english + ["stringUnit", "value"])
        return found as? String ?? key
    }
}

/// https://developer.apple.com/documentation/swiftui/text
public struct Text: Equatable, Sendable {
    let shown: String, key: String?
    public init(_ key: LocalizedStringKey, tableName: String? = nil, bundle: Bundle? = nil, comment: StaticString? = nil) {
        shown = key.shown
        self.key = key.key
    }
    @_disfavoredOverload public init<S: StringProtocol>(_ content: S) {
        shown = String(content)
        key = nil
    }
    public init(verbatim content: String) {
        shown = content
        key = nil
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let node = Node("text", shown)
        if let key { node.attributes["key"] = key }
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/image
public struct Image: Sendable {
    /// https://developer.apple.com/documentation/swiftui/image/interpolation
    public enum Interpolation: Sendable { case none, low, medium, high }
    let name: String
    nonisolated(unsafe) var picture: CGImage?
    var isDecorative = false
    var isSmooth = true
    public init(systemName: String) { name = "symbol:\(systemName)" }
    public init(_ name: String, bundle: Bundle? = nil) { self.name = name }
    public init(decorative cgImage: CGImage, scale: CGFloat, orientation: Orientation = .up) {
        name = "picture"
        picture = cgImage
        isDecorative = true
    }
    /// https://developer.apple.com/documentation/swiftui/image/orientation
    public enum Orientation: UInt8, Sendable { case up }
    public func resizable() -> Image { self }
    public func interpolation(_ interpolation: Interpolation) -> Image {
        var changed = self
        changed.isSmooth = interpolation != .none
        return changed
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let node = Node("image", name)
        node.picture = picture
        if isDecorative { node.attributes["hidden"] = "true" }
        if !isSmooth { node.attributes["coarse"] = "true" }
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/font
public struct Font: Sendable {
    let name: String
    public static let largeTitle = Font(name: "largeTitle"), title = Font(name: "title"), title2 = Font(name: "title2")
    public static let title3 = Font(name: "title3"), headline = Font(name: "headline"), subheadline = Font(name: "subheadline")
    public static let body = Font(name: "body"), caption = Font(name: "caption")
    public func bold() -> Font { Font(name: "\(name) bold") }
}

extension Text: View, Primitive {}
extension Image: View, Primitive {}
