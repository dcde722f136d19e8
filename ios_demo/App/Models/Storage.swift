import BoothCore
import Foundation

/// Where everything lies that the app holds of anybody: encrypted while the device is locked, left out of backups.
struct Storage: Sendable {
    let folder: URL
    let caches: URL
    /// Bytes left for what the app writes; tests put other figures here.
    var freeBytes: @Sendable () -> Int

    private static let room = 8 << 20

    init(folder: URL, caches: URL, freeBytes: (@Sendable () -> Int)? = nil) {
        self.folder = folder
        self.caches = caches
        self.freeBytes =
            freeBytes ?? {
                let values = try? FileManager.default.attributesOfFileSystem(forPath: folder.deletingLastPathComponent().path)
                return (values?[.systemFreeSize] as? NSNumber)?.intValue ?? .max
            }
    }

    /// Application Support, and a caches folder for compiled models.
    static func shipped() -> Storage {
        func place(_ directory: FileManager.SearchPathDirectory) -> URL {
            let found = try? FileManager.default.url(for: directory, in: .userDomainMask, appropriateFor: nil, create: true)
            return (found ?? FileManager.default.temporaryDirectory).appendingPathComponent("booth")
        }
        return Storage(folder: place(.applicationSupportDirectory), caches: place(.cachesDirectory))
    }

    var gallery: GalleryFile { GalleryFile(folder.appendingPathComponent("me.gallery")) }
    /// The photo that is being restored: a copy, since the right to read a picked one ends.
    private var photo: URL { folder.appendingPathComponent("photo") }

    /// - Throws: ``Problem/storage`` where there is no room; nothing has changed then.
    func store(_ gallery: Gallery) throws {
        try prepare(for: 0)
        do {
            try self.gallery.write(gallery)
        } catch let error as GalleryError where error.what.contains("cannot be") {
            throw Problem.storage
        }
    }

    /// Keeps a copy of the photo to restore in place of the last one.
    ///
    /// - Throws: ``Problem/storage`` where there is no room.
    func take(_ content: Data) throws {
        try prepare(for: content.count)
        let attributes: [FileAttributeKey: Any] = [.protectionKey: FileProtectionType.complete, .posixPermissions: 0o600]
        try? FileManager.default.removeItem(at: photo)
        guard FileManager.default.createFile(atPath: photo.path, contents: content, attributes: attributes) else {
            throw Problem.storage
        }
    }

    /// The photo that was taken last.
    ///
    /// - Throws: ``Problem/noImage`` where there is none.
    func taken() throws -> Data {
        guard let content = try? Data(contentsOf: photo) else { throw Problem.noImage }
        return content
    }

    /// Overwrites and deletes all of it.
    func wipe() throws {
        try gallery.erase()
        if let handle = try? FileHandle(forUpdating: photo) {
            let length = (try? handle.seekToEnd()) ?? 0
            try? handle.seek(toOffset: 0)
            try? handle.write(contentsOf: Data(count: Int(clamping: length)))
            try? handle.synchronize()
            try? handle.close()
        }
        if FileManager.default.fileExists(atPath: photo.path) { try FileManager.default.removeItem(at: photo) }
    }

    private func prepare(for count: Int) throws {
        guard freeBytes() >= Self.room + count else { throw Problem.storage }
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.protectionKey: FileProtectionType.complete])
            var kept = folder, values = URLResourceValues()
            values.isExcludedFromBackup = true
            try kept.setResourceValues(values)
        } catch {
            throw Problem.storage
        }
    }
}
