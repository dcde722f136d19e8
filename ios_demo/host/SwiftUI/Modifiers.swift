/// https://developer.apple.com/documentation/swiftui/controlsize
public enum ControlSize: Sendable { case mini, small, regular, large }
/// https://developer.apple.com/documentation/swiftui/textalignment
public enum TextAlignment: Sendable { case leading, center, trailing }

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/font(_:)
    nonisolated public func font(_ font: Font?) -> some View { attribute("font", font?.name ?? "body") }
    /// https://developer.apple.com/documentation/swiftui/view/controlsize(_:)
    nonisolated public func controlSize(_ size: ControlSize) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/multilinetextalignment(_:)
    nonisolated public func multilineTextAlignment(_ alignment: TextAlignment) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/linelimit(_:)-513mb
    nonisolated public func lineLimit(_ number: Int?) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/truncationmode(_:)
    nonisolated public func truncationMode(_ mode: Text.TruncationMode) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/disabled(_:)
    nonisolated public func disabled(_ disabled: Bool) -> some View {
        let inside = within { if disabled { $0.isEnabled = false } }
        return Modified(inside) { _, _, nodes in
            if disabled { nodes.flatMap(\.all).forEach { $0.attributes["disabled"] = "true" } }
            return nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/id(_:)
    nonisolated public func id<ID: Hashable>(_ id: ID) -> some View {
        nonisolated(unsafe) let view = self, id = AnyHashable(id)
        return Late { host, path in host.nodes(view, "\(path).id(\(id))") }
    }

    // MARK: life

    /// https://developer.apple.com/documentation/swiftui/view/task(priority:_:)
    nonisolated public func task(
        priority: TaskPriority = .userInitiated, @_inheritActorContext _ action: @escaping @Sendable () async -> Void
    ) -> some View { task(id: 0, priority: priority, action) }
    /// https://developer.apple.com/documentation/swiftui/view/task(id:priority:_:)
    nonisolated public func task<T: Equatable>(
        id value: T, priority: TaskPriority = .userInitiated, @_inheritActorContext _ action: @escaping @Sendable () async -> Void
    ) -> some View {
        nonisolated(unsafe) let value = value
        return Modified(self) { host, path, nodes in
            host.run(path + ".task", AnyHashable(Compared(value))) { await action() }
            return nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/ondisappear(perform:)
    nonisolated public func onDisappear(perform action: (() -> Void)? = nil) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/onchange(of:initial:_:)-4psgg
    nonisolated public func onChange<V: Equatable>(of value: V, initial: Bool = false, _ action: @escaping (V, V) -> Void) -> some View {
        nonisolated(unsafe) let value = value, action = action
        return Modified(self) { host, path, nodes in
            let key = path + ".onChange"
            if let old = host.kept[key] as? V, old != value { action(old, value) }
            host.kept[key] = value
            host.seen.insert(key)
            return nodes
        }
    }

    // MARK: gestures

    /// https://developer.apple.com/documentation/swiftui/view/gesture(_:)
    nonisolated public func gesture(_ gesture: DragGesture) -> some View {
        Modified(self) { _, _, nodes in
            nodes.first?.take = { given in
                if let x = given as? Double { gesture.changed?(DragGesture.Value(location: CGPoint(x: x, y: 0))) }
            }
            return nodes
        }
    }

    // MARK: accessibility

    /// https://developer.apple.com/documentation/swiftui/view/accessibilitylabel(_:)-1d7jv
    nonisolated public func accessibilityLabel(_ label: LocalizedStringKey) -> some View { attribute("label", label.shown) }
    /// https://developer.apple.com/documentation/swiftui/view-accessibility
    nonisolated public func accessibilityValue(_ value: LocalizedStringKey) -> some View { attribute("value", value.shown) }
    /// https://developer.apple.com/documentation/swiftui/view/accessibilityhint(_:)-3i2vu
    nonisolated public func accessibilityHint(_ hint: LocalizedStringKey) -> some View { attribute("hint", hint.shown) }
    /// https://developer.apple.com/documentation/swiftui/view/accessibilityhidden(_:)
    nonisolated public func accessibilityHidden(_ hidden: Bool) -> some View {
        Modified(self) { _, _, nodes in
            if hidden { nodes.flatMap(\.all).forEach { $0.attributes["hidden"] = "true" } }
            return nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/accessibilityaddtraits(_:)
    nonisolated public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View {
        Modified(self) { _, _, nodes in
            for node in nodes where traits.rawValue != 0 { node.attributes["traits"] = traits.names }
            return nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/accessibilityelement(children:)
    nonisolated public func accessibilityElement(children: AccessibilityChildBehavior = .ignore) -> some View {
        Modified(self) { _, _, nodes in
            let node = Node("element", "", nodes)
            node.attributes["children"] = children.name
            if let inner = nodes.first(where: { $0.take != nil }) { node.take = inner.take }
            if nodes.count == 1, let only = nodes.first, only.action != nil { node.action = only.action }
            if nodes.contains(where: { $0.attributes["disabled"] != nil }) { node.attributes["disabled"] = "true" }
            return [node]
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/accessibilityadjustableaction(_:)
    nonisolated public func accessibilityAdjustableAction(_ handler: @escaping (AccessibilityAdjustmentDirection) -> Void) -> some View {
        nonisolated(unsafe) let handler = handler
        return Modified(self) { _, _, nodes in
            for node in nodes {
                let before = node.take
                node.attributes["adjustable"] = "true"
                node.take = { given in
                    if let direction = given as? AccessibilityAdjustmentDirection { handler(direction) } else { before?(given) }
                }
            }
            return nodes
        }
    }
}

extension Text {
    /// https://developer.apple.com/documentation/swiftui/text/truncationmode
    public enum TruncationMode: Sendable { case head, middle, tail }
}

/// Equatable values as ids, of which only equality is asked.
struct Compared<T: Equatable>: Hashable {
    let value: T
    init(_ value: T) { self.value = value }
    func hash(into hasher: inout Hasher) {}
}

/// https://developer.apple.com/documentation/swiftui/accessibilitytraits
public struct AccessibilityTraits: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let isButton = Self(rawValue: 1), isHeader = Self(rawValue: 2), isSelected = Self(rawValue: 4)
    public static let updatesFrequently = Self(rawValue: 8)
    var names: String {
        [(1, "button"), (2, "header"), (4, "selected"), (8, "updating")].filter { rawValue & $0.0 != 0 }.map(\.1).joined(separator: " ")
    }
}

/// https://developer.apple.com/documentation/swiftui/accessibilitychildbehavior
public struct AccessibilityChildBehavior: Hashable, Sendable {
    let name: String
    public static let ignore = Self(name: "ignore"), contain = Self(name: "contain"), combine = Self(name: "combine")
}

/// https://developer.apple.com/documentation/swiftui/accessibilityadjustmentdirection
public enum AccessibilityAdjustmentDirection: Sendable { case increment, decrement }

/// https://developer.apple.com/documentation/swiftui/draggesture
public struct DragGesture: Sendable {
    /// https://developer.apple.com/documentation/swiftui/draggesture/value
    public struct Value: Equatable, Sendable { public var location: CGPoint }
    nonisolated(unsafe) var changed: ((Value) -> Void)?
    public init(minimumDistance: CGFloat = 10) {}
    public func onChanged(_ action: @escaping (Value) -> Void) -> DragGesture {
        var copy = self
        copy.changed = action
        return copy
    }
}

/// https://developer.apple.com/documentation/swiftui/animation
public struct Animation: Sendable {
    public static let snappy = Animation(), `default` = Animation()
}
/// https://developer.apple.com/documentation/swiftui/withanimation(_:_:)
public func withAnimation<Result>(_ animation: Animation? = .default, _ body: () throws -> Result) rethrows -> Result {
    HostAnimations.count += 1
    return try body()
}
/// How often something was animated. Not Apple's.
public enum HostAnimations { nonisolated(unsafe) public static var count = 0 }
