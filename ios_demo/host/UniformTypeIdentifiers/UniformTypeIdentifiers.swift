// Stands in for UniformTypeIdentifiers on Linux.
/// https://developer.apple.com/documentation/uniformtypeidentifiers/uttype-swift.struct
public struct UTType: Hashable, Sendable {
    public let identifier: String
    public static let png = UTType(identifier: "public.png"), image = UTType(identifier: "public.image")
    public static let json = UTType(identifier: "public.json")
}
