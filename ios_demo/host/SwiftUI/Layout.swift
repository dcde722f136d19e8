/// https://developer.apple.com/documentation/swiftui/horizontalalignment
public struct HorizontalAlignment: Equatable, Sendable {
    let name: String
    public static let leading = Self(name: "leading"), center = Self(name: "center"), trailing = Self(name: "trailing")
}
/// https://developer.apple.com/documentation/swiftui/verticalalignment
public struct VerticalAlignment: Equatable, Sendable {
    let name: String
    public static let top = Self(name: "top"), center = Self(name: "center"), bottom = Self(name: "bottom")
}
/// https://developer.apple.com/documentation/swiftui/alignment
public struct Alignment: Equatable, Sendable {
    let name: String
    public static let center = Self(name: "center"), leading = Self(name: "leading"), trailing = Self(name: "trailing")
    public static let top = Self(name: "top"), bottom = Self(name: "bottom")
    public static let topLeading = Self(name: "topLeading"), topTrailing = Self(name: "topTrailing")
}
/// https://developer.apple.com/documentation/swiftui/edge
public enum Edge: Int8, CaseIterable, Sendable {
    case top, leading, bottom, trailing
    /// https://developer.apple.com/documentation/swiftui/edge/set
    public struct Set: OptionSet, Sendable {
        public let rawValue: Int8
        public init(rawValue: Int8) { self.rawValue = rawValue }
        public static let top = Set(rawValue: 1), leading = Set(rawValue: 2), bottom = Set(rawValue: 4), trailing = Set(rawValue: 8)
        public static let horizontal: Set = [.leading, .trailing], vertical: Set = [.top, .bottom]
        public static let all: Set = [.horizontal, .vertical]
    }
}
/// https://developer.apple.com/documentation/swiftui/verticaledge
public enum VerticalEdge: Int8, CaseIterable, Sendable { case top, bottom }
/// https://developer.apple.com/documentation/swiftui/contentmode
public enum ContentMode: Sendable { case fit, fill }

/// https://developer.apple.com/documentation/swiftui/vstack
public struct VStack<Content: View> {
    let content: Content
    public init(alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {
        self.content = content()
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("vstack", "", host.nodes(content, path + ".v"))] }
}

/// https://developer.apple.com/documentation/swiftui/hstack
public struct HStack<Content: View> {
    let content: Content
    public init(alignment: VerticalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {
        self.content = content()
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("hstack", "", host.nodes(content, path + ".h"))] }
}

/// https://developer.apple.com/documentation/swiftui/zstack
public struct ZStack<Content: View> {
    let content: Content
    public init(alignment: Alignment = .center, @ViewBuilder content: () -> Content) { self.content = content() }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("zstack", "", host.nodes(content, path + ".z"))] }
}

/// https://developer.apple.com/documentation/swiftui/group
public struct Group<Content: View> {
    let content: Content
    public init(@ViewBuilder content: () -> Content) { self.content = content() }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { host.nodes(content, path + ".g") }
}

/// https://developer.apple.com/documentation/swiftui/scrollview
public struct ScrollView<Content: View> {
    let content: Content
    public init(@ViewBuilder content: () -> Content) { self.content = content() }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("scroll", "", host.nodes(content, path + ".s"))] }
}

/// https://developer.apple.com/documentation/swiftui/spacer
public struct Spacer {
    public init(minLength: CGFloat? = nil) {}
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("spacer")] }
}

/// https://developer.apple.com/documentation/swiftui/griditem
public struct GridItem: Sendable {
    /// https://developer.apple.com/documentation/swiftui/griditem/size-swift.enum
    public enum Size: Sendable {
        case fixed(CGFloat)
        case flexible(minimum: CGFloat = 10, maximum: CGFloat = .infinity)
        case adaptive(minimum: CGFloat, maximum: CGFloat = .infinity)
    }
    public init(_ size: Size = .flexible(), spacing: CGFloat? = nil, alignment: Alignment? = nil) {}
}

/// https://developer.apple.com/documentation/swiftui/lazyvgrid
public struct LazyVGrid<Content: View> {
    let content: Content
    public init(
        columns: [GridItem], alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) { self.content = content() }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { [Node("grid", "", host.nodes(content, path + ".l"))] }
}

/// https://developer.apple.com/documentation/swiftui/geometryproxy
public struct GeometryProxy { public let size: CGSize }

/// https://developer.apple.com/documentation/swiftui/geometryreader
public struct GeometryReader<Content: View> {
    let content: (GeometryProxy) -> Content
    public init(@ViewBuilder content: @escaping (GeometryProxy) -> Content) { self.content = content }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        host.nodes(content(GeometryProxy(size: CGSize(width: 200, height: 200))), path + ".geometry")
    }
}

/// https://developer.apple.com/documentation/swiftui/foreach
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View> {
    let data: Data, id: (Data.Element) -> ID, content: (Data.Element) -> Content
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { data.flatMap { host.nodes(content($0), "\(path).[\(id($0))]") } }
}

/// https://developer.apple.com/documentation/swiftui/foreach
extension ForEach where ID == Data.Element.ID, Data.Element: Identifiable {
    public init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) {
        self.data = data
        id = { $0.id }
        self.content = content
    }
}

/// https://developer.apple.com/documentation/swiftui/foreach
extension ForEach {
    public init(_ data: Data, id path: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {
        self.data = data
        id = { $0[keyPath: path] }
        self.content = content
    }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/padding(_:)-68shk
    nonisolated public func padding(_ length: CGFloat) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/padding(_:_:)
    nonisolated public func padding(_ edges: Edge.Set = .all, _ length: CGFloat? = nil) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/frame(width:height:alignment:)
    nonisolated public func frame(width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/frame(minwidth:idealwidth:maxwidth:minheight:idealheight:maxheight:alignment:)
    nonisolated public func frame(
        minWidth: CGFloat? = nil, idealWidth: CGFloat? = nil, maxWidth: CGFloat? = nil, minHeight: CGFloat? = nil,
        idealHeight: CGFloat? = nil, maxHeight: CGFloat? = nil, alignment: Alignment = .center
    ) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/aspectratio(_:contentmode:)-771ow
    nonisolated public func aspectRatio(_ ratio: CGFloat? = nil, contentMode: ContentMode) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/offset(x:y:)
    nonisolated public func offset(x: CGFloat = 0, y: CGFloat = 0) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/ignoressafearea(_:edges:)
    nonisolated public func ignoresSafeArea() -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/safeareainset(edge:alignment:spacing:content:)-4s51l
    nonisolated public func safeAreaInset<V: View>(
        edge: VerticalEdge, alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> V
    ) -> some View {
        let inset = content()
        return Modified(self) { host, path, nodes in nodes + [Node("foot", "", host.nodes(inset, path + ".inset"))] }
    }
    /// https://developer.apple.com/documentation/swiftui/view/overlay(alignment:content:)
    nonisolated public func overlay<V: View>(alignment: Alignment = .center, @ViewBuilder content: () -> V) -> some View {
        let over = content()
        return Modified(self) { host, path, nodes in nodes + host.nodes(over, path + ".over") }
    }
    /// https://developer.apple.com/documentation/swiftui/view/overlay(_:alignment:)
    nonisolated public func overlay<V: View>(_ overlay: V, alignment: Alignment = .center) -> some View {
        Modified(self) { host, path, nodes in nodes + host.nodes(overlay, path + ".over") }
    }
    /// https://developer.apple.com/documentation/swiftui/view/mask(alignment:_:)
    nonisolated public func mask<Mask: View>(alignment: Alignment = .center, @ViewBuilder _ mask: () -> Mask) -> some View {
        attribute("masked", "yes")
    }
}

extension VStack: View, Primitive {}
extension HStack: View, Primitive {}
extension ZStack: View, Primitive {}
extension Group: View, Primitive {}
extension ScrollView: View, Primitive {}
extension Spacer: View, Primitive {}
extension LazyVGrid: View, Primitive {}
extension GeometryReader: View, Primitive {}
extension ForEach: View, Primitive {}
