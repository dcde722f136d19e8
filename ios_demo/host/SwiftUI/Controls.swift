/// https://developer.apple.com/documentation/swiftui/label
public struct Label<Title: View, Icon: View> {
    let title: Title, icon: Icon
    public init(@ViewBuilder title: () -> Title, @ViewBuilder icon: () -> Icon) {
        self.title = title()
        self.icon = icon()
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { host.nodes(icon, path + ".i") + host.nodes(title, path + ".t") }
}

/// https://developer.apple.com/documentation/swiftui/label
extension Label where Title == Text, Icon == Image {
    public init(_ titleKey: LocalizedStringKey, systemImage name: String) {
        title = Text(titleKey)
        icon = Image(systemName: name)
    }
}

/// https://developer.apple.com/documentation/swiftui/buttonrole
public struct ButtonRole: Equatable, Sendable {
    let name: String
    public static let destructive = ButtonRole(name: "destructive"), cancel = ButtonRole(name: "cancel")
}

/// https://developer.apple.com/documentation/swiftui/button
public struct Button<Label: View> {
    let label: Label, role: ButtonRole?, action: @MainActor () -> Void
    @preconcurrency public init(action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Label) {
        self.init(role: nil, action: action, label: label)
    }
    @preconcurrency public init(role: ButtonRole?, action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Label) {
        self.label = label()
        self.action = action
        self.role = role
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let node = host.button(label, path, action: action)
        if let role { node.attributes["role"] = role.name }
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/button
extension Button where Label == Text {
    @preconcurrency public init(_ titleKey: LocalizedStringKey, action: @escaping @MainActor () -> Void) {
        self.init(action: action) { Text(titleKey) }
    }
    @preconcurrency public init(_ titleKey: LocalizedStringKey, role: ButtonRole?, action: @escaping @MainActor () -> Void) {
        self.init(role: role, action: action) { Text(titleKey) }
    }
}

/// Not Apple's.
extension Screen {
    /// A control that is drawn by the button style around it. For the other stand-ins too.
    public func button<Label: View>(_ label: Label, _ path: String, action: (@MainActor () -> Void)?) -> Node {
        let configuration = ButtonStyleConfiguration(label: .init { $0.nodes(label, $1) })
        let inside = environment.buttonStyle.map { $0(configuration, self, path + ".style") } ?? nodes(label, path + ".label")
        let node = Node("button", "", inside)
        node.action = action
        if !environment.isEnabled { node.attributes["disabled"] = "true" }
        if environment.buttonStyle != nil { node.attributes["styled"] = inside.first?.attributes["fill"] ?? "yes" }
        return node
    }
}

/// https://developer.apple.com/documentation/swiftui/buttonstyleconfiguration
public struct ButtonStyleConfiguration {
    /// https://developer.apple.com/documentation/swiftui/buttonstyleconfiguration/label-swift.struct
    public struct Label {
        let made: @MainActor (Screen, String) -> [Node]
        init(_ made: @escaping @MainActor (Screen, String) -> [Node]) { self.made = made }
        @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] { made(host, path) }
    }
    public let label: Label
    public let isPressed = false
    public let role: ButtonRole? = nil
}

/// https://developer.apple.com/documentation/swiftui/buttonstyle
@MainActor @preconcurrency public protocol ButtonStyle {
    associatedtype Body: View
    @ViewBuilder func makeBody(configuration: Configuration) -> Body
    typealias Configuration = ButtonStyleConfiguration
}

/// https://developer.apple.com/documentation/swiftui/primitivebuttonstyle
@MainActor @preconcurrency public protocol PrimitiveButtonStyle {}
/// https://developer.apple.com/documentation/swiftui/plainbuttonstyle
public struct PlainButtonStyle: PrimitiveButtonStyle { nonisolated public init() {} }
/// https://developer.apple.com/documentation/swiftui/primitivebuttonstyle
extension PrimitiveButtonStyle where Self == PlainButtonStyle {
    nonisolated public static var plain: PlainButtonStyle { PlainButtonStyle() }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/buttonstyle(_:)-7qx1
    nonisolated public func buttonStyle<S: ButtonStyle>(_ style: S) -> some View {
        nonisolated(unsafe) let style = style
        return within { values in
            values.buttonStyle = { configuration, host, path in
                host.adopt(style, path)
                let before = host.environment.buttonStyle
                host.environment.buttonStyle = nil
                defer { host.environment.buttonStyle = before }
                return host.nodes(style.makeBody(configuration: configuration), path)
            }
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/buttonstyle(_:)-66fbx
    nonisolated public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { within { $0.buttonStyle = nil } }
}

/// https://developer.apple.com/documentation/swiftui/menu
public struct Menu<Label: View, Content: View> {
    let content: Content, label: Label
    public init(@ViewBuilder content: () -> Content, @ViewBuilder label: () -> Label) {
        self.content = content()
        self.label = label()
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let title = Node("button", "", host.nodes(label, path + ".label"))
        title.action = {}
        let inside = Node("menu", "", host.nodes(content, path + ".menu"))
        return [title, inside]
    }
}

/// https://developer.apple.com/documentation/swiftui/progressview
public struct ProgressView {
    let title: LocalizedStringKey?
    public init() { title = nil }
    public init(_ titleKey: LocalizedStringKey) { title = titleKey }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        [Node("progress", "", title.map { host.nodes(Text($0), path + ".title") } ?? [])]
    }
}

/// https://developer.apple.com/documentation/swiftui/slider
public struct Slider<Label: View> {
    let value: Double, range: ClosedRange<Double>, set: @MainActor (Double) -> Void, label: Label
    public init<V: BinaryFloatingPoint>(value: Binding<V>, in bounds: ClosedRange<V> = 0...1, @ViewBuilder label: () -> Label)
    where V.Stride: BinaryFloatingPoint {
        self.value = Double(value.wrappedValue)
        range = Double(bounds.lowerBound)...Double(bounds.upperBound)
        set = { value.wrappedValue = V($0) }
        self.label = label()
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let name = host.nodes(label, path + ".label")
        let node = Node("slider", "\(value)")
        node.attributes["label"] = name.first?.text
        node.take = { given in if let given = given as? Double { set(min(max(given, range.lowerBound), range.upperBound)) } }
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/picker
public struct Picker<Label: View, Selection: Hashable, Content: View> {
    let label: Label, selection: Binding<Selection>, content: Content
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let node = Node("picker", "", host.nodes(content, path + ".content"))
        node.attributes["label"] = host.nodes(label, path + ".label").first?.text
        for option in node.children {
            let tag = host.tags[ObjectIdentifier(option)]?.base as? Selection
            option.attributes["option"] = tag == selection.wrappedValue ? "chosen" : "other"
            let wrapped = Node("option", "", [Node(option.kind, option.text)])
            wrapped.attributes = option.attributes
            wrapped.action = { if let tag { selection.wrappedValue = tag } }
            node.children[node.children.firstIndex { $0 === option } ?? 0] = wrapped
        }
        host.tags = [:]
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/picker
extension Picker where Label == Text {
    public init(_ titleKey: LocalizedStringKey, selection: Binding<Selection>, @ViewBuilder content: () -> Content) {
        label = Text(titleKey)
        self.selection = selection
        self.content = content()
    }
}

/// https://developer.apple.com/documentation/swiftui/pickerstyle
@MainActor @preconcurrency public protocol PickerStyle {}
/// https://developer.apple.com/documentation/swiftui/segmentedpickerstyle
public struct SegmentedPickerStyle: PickerStyle { nonisolated public init() {} }
/// https://developer.apple.com/documentation/swiftui/pickerstyle
extension PickerStyle where Self == SegmentedPickerStyle {
    nonisolated public static var segmented: SegmentedPickerStyle { SegmentedPickerStyle() }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/pickerstyle(_:)
    nonisolated public func pickerStyle<S: PickerStyle>(_ style: S) -> some View { attribute("style", "segmented") }
    /// https://developer.apple.com/documentation/swiftui/view/tag(_:includeoptional:)
    nonisolated public func tag<V: Hashable>(_ tag: V, includeOptional: Bool = true) -> some View {
        nonisolated(unsafe) let tag = AnyHashable(tag)
        return Modified(self) { host, _, nodes in
            nodes.forEach { host.tags[ObjectIdentifier($0)] = tag }
            return nodes
        }
    }
}

/// https://developer.apple.com/documentation/swiftui/sharelink
public struct ShareLink<Label: View> {
    let label: Label, item: any Transferable
    public init<I: Transferable, PreviewImage, PreviewIcon>(
        item: I, subject: Text? = nil, message: Text? = nil, preview: SharePreview<PreviewImage, PreviewIcon>,
        @ViewBuilder label: () -> Label
    ) {
        self.label = label()
        self.item = item
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let item = item
        let node = host.button(label, path, action: { host.shared = item })
        return [node]
    }
}

/// https://developer.apple.com/documentation/swiftui/sharepreview
public struct SharePreview<PreviewImage, PreviewIcon> {}
/// https://developer.apple.com/documentation/swiftui/sharepreview
extension SharePreview where PreviewImage == Never, PreviewIcon == Never {
    public init(_ titleKey: LocalizedStringKey) { _ = titleKey.shown }
}
/// https://developer.apple.com/documentation/swiftui/sharepreview
extension SharePreview where PreviewIcon == Never {
    public init(_ titleKey: LocalizedStringKey, image: PreviewImage) { _ = titleKey.shown }
}

extension Label: View, Primitive {}
extension Button: View, Primitive {}
extension ButtonStyleConfiguration.Label: View, Primitive {}
extension Menu: View, Primitive {}
extension ProgressView: View, Primitive {}
extension Slider: View, Primitive {}
extension Picker: View, Primitive {}
extension ShareLink: View, Primitive {}
