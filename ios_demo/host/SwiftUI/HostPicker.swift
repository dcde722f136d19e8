/// What a photo picker's stand-in draws: a button that takes what a test gives it. Not Apple's.
public struct HostPicker<Label: View, Item> {
    let label: Label, given: @MainActor ([Item]) -> Void
    public init(label: Label, take: @escaping @MainActor ([Item]) -> Void) {
        self.label = label
        given = take
    }
    @MainActor func nodes(_ host: Screen, _ path: String) -> [Node] {
        let node = host.button(label, path, action: nil)
        let given = given
        node.take = { value in if let items = value as? [Item] { given(items) } }
        return [node]
    }
}

extension HostPicker: View, Primitive {}
