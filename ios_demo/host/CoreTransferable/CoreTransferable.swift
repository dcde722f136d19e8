// Stands in for CoreTransferable on Linux.
import Foundation
import UniformTypeIdentifiers

/// https://developer.apple.com/documentation/coretransferable/transferable
public protocol Transferable: Sendable {
    associatedtype Representation: TransferRepresentation
    static var transferRepresentation: Self.Representation { get }
}

/// https://developer.apple.com/documentation/coretransferable/transferrepresentation
public protocol TransferRepresentation: Sendable { associatedtype Item }

/// https://developer.apple.com/documentation/coretransferable/receivedtransferredfile
public struct ReceivedTransferredFile: Sendable {
    public let file: URL
    public let isOriginalFile = false
}

/// https://developer.apple.com/documentation/coretransferable/filerepresentation
public struct FileRepresentation<Item: Transferable>: TransferRepresentation {
    let importing: @Sendable (ReceivedTransferredFile) async throws -> Item
    public init(
        importedContentType: UTType, shouldAllowToOpenInPlace: Bool = false,
        importing: @escaping @Sendable (ReceivedTransferredFile) async throws -> Item
    ) { self.importing = importing }
}

/// https://developer.apple.com/documentation/coretransferable/datarepresentation
public struct DataRepresentation<Item: Transferable>: TransferRepresentation {
    let exporting: @Sendable (Item) async throws -> Data
    public init(exportedContentType: UTType, exporting: @escaping @Sendable (Item) async throws -> Data) { self.exporting = exporting }
    public func suggestedFileName(_ fileName: String) -> DataRepresentation { self }
}

/// What the system does with representations. Not Apple's.
public enum HostTransfer {
    public static func read<T: Transferable>(_ type: T.Type, from file: URL) async throws -> T? {
        try await (T.transferRepresentation as? FileRepresentation<T>)?.importing(ReceivedTransferredFile(file: file))
    }
    public static func data<T: Transferable>(of item: T) async throws -> Data? {
        try await (T.transferRepresentation as? DataRepresentation<T>)?.exporting(item)
    }
}
