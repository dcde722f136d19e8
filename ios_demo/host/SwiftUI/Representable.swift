/// https://developer.apple.com/documentation/swiftui/uiviewrepresentable
@MainActor @preconcurrency public protocol UIViewRepresentable: View where Body == Never {
    associatedtype UIViewType: UIView
    associatedtype Coordinator = Void
    typealias Context = UIViewRepresentableContext<Self>
    func makeUIView(context: Self.Context) -> Self.UIViewType
    func updateUIView(_ uiView: Self.UIViewType, context: Self.Context)
}
/// https://developer.apple.com/documentation/swiftui/uiviewrepresentable
extension UIViewRepresentable {
    public var body: Never { fatalError() }
    var hostNodes: [Node] {
        let view = makeUIView(context: Context())
        updateUIView(view, context: Context())
        return [Node("uikit", "\(Self.self)")]
    }
}
/// https://developer.apple.com/documentation/swiftui/uiviewrepresentablecontext
@MainActor public struct UIViewRepresentableContext<Representable: UIViewRepresentable> {}
