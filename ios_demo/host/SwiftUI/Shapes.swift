/// https://developer.apple.com/documentation/swiftui/shapestyle
public protocol ShapeStyle: Sendable { var hostName: String { get } }

/// https://developer.apple.com/documentation/swiftui/color
public struct Color: ShapeStyle, Equatable {
    public let hostName: String
    public init(_ name: String, bundle: Bundle? = nil) { hostName = name }
    init(host: String) { hostName = host }
    public static let black = Color(host: "black"), white = Color(host: "white"), red = Color(host: "red"), clear = Color(host: "clear")
    public func opacity(_ opacity: Double) -> Color { self }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [] }
}

/// https://developer.apple.com/documentation/swiftui/shapestyle
extension ShapeStyle where Self == Color {
    public static var black: Color { Color.black }
    public static var white: Color { Color.white }
    public static var red: Color { Color.red }
}

/// https://developer.apple.com/documentation/swiftui/shape
public protocol Shape: Sendable, View {}
/// https://developer.apple.com/documentation/swiftui/insettableshape
public protocol InsettableShape: Shape {}

/// https://developer.apple.com/documentation/swiftui/circle
public struct Circle: InsettableShape, Primitive {
    nonisolated public init() {}
    func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("shape", "circle")] }
}
/// https://developer.apple.com/documentation/swiftui/capsule
public struct Capsule: InsettableShape, Primitive {
    nonisolated public init() {}
    func nodes(_ host: Screen, _ path: String) -> [Node] { [] }
}
/// https://developer.apple.com/documentation/swiftui/rectangle
public struct Rectangle: InsettableShape, Primitive {
    nonisolated public init() {}
    func nodes(_ host: Screen, _ path: String) -> [Node] { [] }
}
/// https://developer.apple.com/documentation/swiftui/roundedrectangle
public struct RoundedRectangle: InsettableShape, Primitive {
    nonisolated public init(cornerRadius: CGFloat) {}
    func nodes(_ host: Screen, _ path: String) -> [Node] { [] }
}

extension Shape {
    /// https://developer.apple.com/documentation/swiftui/shape/fill(_:style:)
    nonisolated public func fill<S: ShapeStyle>(_ content: S) -> some View { unchanged }
}
extension InsettableShape {
    /// https://developer.apple.com/documentation/swiftui/insettableshape/strokeborder(_:linewidth:antialiased:)
    nonisolated public func strokeBorder<S: ShapeStyle>(_ content: S, lineWidth: CGFloat = 1) -> some View { unchanged }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/foregroundstyle(_:)
    nonisolated public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { attribute("ink", style.hostName) }
    /// https://developer.apple.com/documentation/swiftui/view/background(_:ignoressafeareaedges:)
    nonisolated public func background<S: ShapeStyle>(_ style: S) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/background(_:in:fillstyle:)
    nonisolated public func background<S: ShapeStyle, T: InsettableShape>(_ style: S, in shape: T) -> some View {
        attribute("fill", style.hostName)
    }
    /// https://developer.apple.com/documentation/swiftui/view/clipshape(_:style:)
    nonisolated public func clipShape<S: Shape>(_ shape: S) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/contentshape(_:eofill:)
    nonisolated public func contentShape<S: Shape>(_ shape: S) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/tint(_:)
    nonisolated public func tint(_ tint: Color?) -> some View { unchanged }
    /// Nothing shows at 0, and VoiceOver passes over it.
    /// https://developer.apple.com/documentation/swiftui/view/opacity(_:)
    nonisolated public func opacity(_ opacity: Double) -> some View {
        Modified(self) { _, _, nodes in
            if opacity == 0 {
                nodes.flatMap(\.all).forEach {
                    $0.attributes["unseen"] = "true"
                    $0.attributes["hidden"] = "true"
                }
            } else if opacity < 1 {
                nodes.forEach { $0.attributes["opacity"] = "\(opacity)" }
            }
            return nodes
        }
    }
}

extension Color: View, Primitive {}
