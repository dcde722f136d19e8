/// https://developer.apple.com/documentation/swiftui/navigationstack
public struct NavigationStack<Data, Root: View> {
    let root: Root, path: Binding<Data>?, last: @MainActor () -> AnyHashable?, pop: @MainActor @Sendable () -> Void
    @MainActor func nodes(_ host: Screen, _ here: String) -> [Node] {
        host.destinations = [:]
        let below = host.nodes(root, here + ".root")
        guard let top = last() else { return below }
        guard let destination = host.destinations[ObjectIdentifier(type(of: top.base))] else {
            return [Node("text", "no destination for \(top)")]
        }
        let before = host.environment
        defer { host.environment = before }
        host.environment.dismiss = DismissAction(pop)
        let back = Node("button", "", [Node("image", "symbol:chevron.backward")])
        back.attributes["label"] = "Back (the system's)"
        back.action = pop
        return [back] + destination(top, "\(here).over(\(top))")
    }
}

/// https://developer.apple.com/documentation/swiftui/navigationstack
extension NavigationStack {
    public init(path: Binding<Data>, @ViewBuilder root: () -> Root)
    where Data: MutableCollection & RandomAccessCollection & RangeReplaceableCollection, Data.Element: Hashable {
        self.root = root()
        self.path = path
        last = { path.wrappedValue.last.map { AnyHashable($0) } }
        pop = {
            if !path.wrappedValue.isEmpty { path.wrappedValue.remove(at: path.wrappedValue.index(before: path.wrappedValue.endIndex)) }
        }
    }
}

/// https://developer.apple.com/documentation/swiftui/navigationbaritem
public enum NavigationBarItem {
    /// https://developer.apple.com/documentation/swiftui/navigationbaritem/titledisplaymode
    public enum TitleDisplayMode: Sendable { case automatic, inline, large }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/navigationdestination(for:destination:)
    nonisolated public func navigationDestination<D: Hashable, C: View>(
        for data: D.Type, @ViewBuilder destination: @escaping (D) -> C
    ) -> some View {
        nonisolated(unsafe) let destination = destination
        return Modified(self) { host, _, nodes in
            host.destinations[ObjectIdentifier(D.self)] = { value, path in
                (value.base as? D).map { host.nodes(destination($0), path) } ?? []
            }
            return nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/configure-your-apps-navigation-titles
    nonisolated public func navigationTitle(_ titleKey: LocalizedStringKey) -> some View {
        Modified(self) { host, path, nodes in
            let title = host.nodes(Text(titleKey), path + ".title")
            return [Node("title", "", title)] + nodes
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/navigationbartitledisplaymode(_:)
    nonisolated public func navigationBarTitleDisplayMode(_ displayMode: NavigationBarItem.TitleDisplayMode) -> some View { unchanged }
    /// https://developer.apple.com/documentation/swiftui/view/interactivedismissdisabled(_:)
    nonisolated public func interactiveDismissDisabled(_ isDisabled: Bool = true) -> some View { attribute("kept", "\(isDisabled)") }

    /// https://developer.apple.com/documentation/swiftui/view/sheet(item:ondismiss:content:)
    nonisolated public func sheet<Item: Identifiable, C: View>(
        item: Binding<Item?>, onDismiss: (() -> Void)? = nil, @ViewBuilder content: @escaping (Item) -> C
    ) -> some View {
        nonisolated(unsafe) let content = content
        return Modified(self) { host, path, nodes in
            guard let shown = item.wrappedValue else { return nodes }
            let sheet = Node("sheet", "", host.nodes(content(shown), "\(path).sheet(\(shown.id))"))
            // Swiped down.
            sheet.take = { _ in
                if !sheet.all.contains(where: { $0.attributes["kept"] == "true" }) { item.wrappedValue = nil }
            }
            return nodes + [sheet]
        }
    }

    /// https://developer.apple.com/documentation/swiftui/view/alert(_:ispresented:actions:message:)-8584l
    nonisolated public func alert<A: View, M: View>(
        _ titleKey: LocalizedStringKey, isPresented: Binding<Bool>, @ViewBuilder actions: () -> A, @ViewBuilder message: () -> M
    ) -> some View {
        let actions = actions(), message = message()
        return Modified(self) { host, path, nodes in
            guard isPresented.wrappedValue else { return nodes }
            return nodes + [
                host.alert(titleKey, isPresented, host.nodes(message, path + ".message"), host.nodes(actions, path + ".actions"))
            ]
        }
    }
    /// https://developer.apple.com/documentation/swiftui/view/alert(_:ispresented:presenting:actions:message:)-8584l
    nonisolated public func alert<A: View, M: View, T>(
        _ titleKey: LocalizedStringKey, isPresented: Binding<Bool>, presenting data: T?, @ViewBuilder actions: @escaping (T) -> A,
        @ViewBuilder message: @escaping (T) -> M
    ) -> some View {
        nonisolated(unsafe) let data = data, actions = actions, message = message
        return Modified(self) { host, path, nodes in
            guard isPresented.wrappedValue, let data else { return nodes }
            let words = host.nodes(message(data), path + ".message"), choices = host.nodes(actions(data), path + ".actions")
            return nodes + [host.alert(titleKey, isPresented, words, choices)]
        }
    }
}

extension Screen {
    /// Whatever is pressed in an alert puts it away.
    func alert(_ title: LocalizedStringKey, _ isPresented: Binding<Bool>, _ message: [Node], _ choices: [Node]) -> Node {
        for choice in choices.flatMap(\.all) {
            guard let action = choice.action else { continue }
            choice.action = {
                action()
                isPresented.wrappedValue = false
            }
        }
        return Node("alert", "", nodes(Text(title), "alert") + message + choices)
    }
}

// MARK: app and scenes

/// https://developer.apple.com/documentation/swiftui/scene
@MainActor @preconcurrency public protocol Scene {}
/// https://developer.apple.com/documentation/swiftui/app
@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    @SceneBuilder @MainActor @preconcurrency var body: Self.Body { get }
    @MainActor @preconcurrency init()
}
/// https://developer.apple.com/documentation/swiftui/app
extension App { public static func main() {} }
/// https://developer.apple.com/documentation/swiftui/scenebuilder
@resultBuilder public enum SceneBuilder { public static func buildBlock<S: Scene>(_ scene: S) -> S { scene } }
/// https://developer.apple.com/documentation/swiftui/windowgroup
public struct WindowGroup<Content: View>: Scene {
    public init(@ViewBuilder content: () -> Content) {}
}

extension NavigationStack: View, Primitive {}
