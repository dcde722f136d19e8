/// Evaluates a view and lives with it: keeps its state, runs its tasks, and is pressed by tests. Not Apple's.
@MainActor public final class Screen {
    var kept: [String: Any] = [:]
    var seen: Set<String> = []
    public var environment = EnvironmentValues()
    var destinations: [ObjectIdentifier: @MainActor (AnyHashable, String) -> [Node]] = [:]
    var tags: [ObjectIdentifier: AnyHashable] = [:]
    /// What was shared last.
    public var shared: (any Transferable)?
    private var running: [String: (id: AnyHashable, task: Task<Void, Never>)] = [:]
    private let make: @MainActor (Screen) -> [Node]

    public init<V: View>(_ view: V) { make = { $0.nodes(view, "") } }

    public func inject<T: AnyObject & Observable>(_ object: T) { environment.objects[ObjectIdentifier(T.self)] = object }

    /// Where links that leave the app go.
    public func onOpen(_ action: @escaping @MainActor @Sendable (URL) -> Void) { environment.openURL = OpenURLAction(action) }

    /// The screen now. State of what has gone is forgotten, and its tasks are cancelled.
    public var tree: Node {
        seen = []
        let node = Node("screen", "", make(self))
        kept = kept.filter { seen.contains($0.key) }
        for (key, one) in running where !seen.contains(key) {
            one.task.cancel()
            running[key] = nil
        }
        return node
    }

    /// A task of a view that is on the screen: begun once for each id.
    func run(_ key: String, _ id: AnyHashable, _ action: @escaping @MainActor () async -> Void) {
        seen.insert(key)
        if let one = running[key] {
            if one.id == id { return }
            one.task.cancel()
        }
        running[key] = (id, Task { await action() })
    }

    public var texts: [String] { tree.all.filter { $0.kind == "text" && $0.attributes["unseen"] == nil }.map(\.text) }

    /// Waits until a condition holds; false where it does not within the time.
    public func until(_ seconds: Double = 60, _ condition: (Screen) -> Bool) async -> Bool {
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        while ContinuousClock.now < end {
            _ = tree  // a screen is drawn anew when something changes: tasks begin then
            if condition(self) { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return condition(self)
    }

    /// Waits until a text is on the screen.
    public func shows(_ text: String, within seconds: Double = 60) async -> Bool { await until(seconds) { $0.texts.contains(text) } }

    /// The enabled control of that title or label.
    public func control(_ title: String, _ nth: Int = 0, _ has: (Node) -> Bool) -> Node? {
        let found = tree.all.filter { node in
            has(node) && node.attributes["disabled"] == nil
                && (node.attributes["label"] == title || node.all.contains { $0.kind == "text" && $0.text == title })
        }
        return found.indices.contains(nth) ? found[nth] : nil
    }

    /// Presses the enabled button of that title or label; false where there is none.
    @discardableResult public func press(_ title: String, _ nth: Int = 0) -> Bool {
        let found = control(title, nth) { $0.action != nil }
        found?.action?()
        return found != nil
    }

    /// Gives something to the enabled control of that title or label; false where there is none.
    @discardableResult public func give(_ title: String, _ value: Any) -> Bool {
        let found = control(title) { $0.take != nil }
        found?.take?(value)
        return found != nil
    }

    func nodes<V: View>(_ view: V, _ path: String) -> [Node] {
        if let primitive = view as? any Primitive { return primitive.nodes(self, path) }
        if let foreign = view as? any UIViewRepresentable { return foreign.hostNodes }
        let here = "\(path)/\(V.self)"
        adopt(view, here)
        return nodes(view.body, here)
    }

    func adopt(_ value: Any, _ path: String) {
        for child in Mirror(reflecting: value).children { (child.value as? any Stateful)?.adopt(self, "\(path).\(child.label ?? "")") }
    }
}
