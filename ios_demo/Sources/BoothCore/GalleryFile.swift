import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

/// A gallery on disk: written whole or not at all, readable by its owner alone, and erased with zeros.
public struct GalleryFile: Sendable {
    public let url: URL
    private var aside: URL { url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).partial") }

    private static let mostBytes = Rules.Gallery.mostData + Rules.Gallery.mostHeader + 8

    public init(_ url: URL) { self.url = url }

    /// The gallery, or nil where there is no file.
    ///
    /// - Throws: ``GalleryError`` where it is damaged or cannot be read.
    public func read() throws -> Gallery? {
        let files = FileManager.default
        guard files.fileExists(atPath: url.path) else { return nil }
        let size = (try? files.attributesOfItem(atPath: url.path))?[.size] as? Int ?? 0
        guard size <= Self.mostBytes else { throw GalleryError("it has \(size) bytes", hint: "delete it and build it again") }
        guard let content = try? Data(contentsOf: url) else {
            throw GalleryError("it cannot be read", hint: "unlock the phone, or delete it and build it again")
        }
        return try Gallery(content)
    }

    /// Replace the file; the old one's bytes are overwritten.
    ///
    /// - Throws: ``GalleryError`` where the gallery breaks the format or the file cannot be written.
    public func write(_ gallery: Gallery) throws {
        let content = try gallery.encode()
        let files = FileManager.default
        do {
            try files.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            guard files.createFile(atPath: aside.path, contents: nil, attributes: Self.attributes) else { throw failed("written") }
            defer { unlink(aside.path) }
            let handle = try FileHandle(forWritingTo: aside)
            defer { try? handle.close() }
            try handle.write(contentsOf: content)
            try handle.synchronize()
            let old = try? FileHandle(forUpdating: url)
            defer { try? old?.close() }
            // Not `replaceItemAt`, which can lose both files.
            guard rename(aside.path, url.path) == 0 else { throw failed("replaced") }
            if let old { try Self.overwrite(old) }
        } catch let error as GalleryError {
            throw error
        } catch {
            throw failed("written")
        }
    }

    /// Overwrite the file with zeros and delete it, and what a killed process left beside it.
    ///
    /// - Throws: ``GalleryError`` where it cannot be deleted.
    public func erase() throws {
        for one in [aside, url] where FileManager.default.fileExists(atPath: one.path) {
            if let handle = try? FileHandle(forUpdating: one) {
                defer { try? handle.close() }
                try? Self.overwrite(handle)
            }
            guard unlink(one.path) == 0 else { throw failed("deleted") }
        }
    }

    private func failed(_ what: String) -> GalleryError {
        GalleryError("\(url.lastPathComponent) cannot be \(what)", hint: "free some space and try again")
    }

    /// Complete protection: readable only while the phone is unlocked. Linux knows no such thing and passes over it.
    private static var attributes: [FileAttributeKey: Any] {
        [.posixPermissions: 0o600, .protectionKey: FileProtectionType.complete]
    }

    private static func overwrite(_ handle: FileHandle) throws {
        var left = try handle.seekToEnd()
        try handle.seek(toOffset: 0)
        let zeros = Data(count: 1 << 16)
        while left > 0 {
            let count = min(left, UInt64(zeros.count))
            try handle.write(contentsOf: zeros.prefix(Int(count)))
            left -= count
        }
        try handle.synchronize()
    }
}
