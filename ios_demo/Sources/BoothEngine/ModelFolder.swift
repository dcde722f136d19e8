import BoothCore
import Foundation

/// A folder with a model in it whose every file has a hash: a bundle, or the detector. Nothing of it is compiled before
/// the hashes are right.
public struct ModelFolder: Sendable {
    public let url: URL

    public init(_ url: URL) { self.url = url }

    /// - Throws: ``EngineError`` where the file is not there or cannot be read.
    func read(_ name: String) throws -> Data {
        let file = url.appendingPathComponent(name)
        guard FileManager.default.fileExists(atPath: file.path) else { throw EngineError.missing(name) }
        do {
            return try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw EngineError.damaged("\(name) cannot be read")
        }
    }

    /// The bundle's manifest.
    ///
    /// - Throws: ``EngineError`` where there is none, or it is damaged or of another version.
    public func manifest() throws -> Manifest {
        let content = try read("manifest.json")
        do {
            return try Manifest(content)
        } catch let error as BundleError {
            throw error.what.contains("version") ? EngineError.other(error.what) : EngineError.damaged(error.what)
        }
    }

    /// Checks every file of `package` against the hashes of `listed`, by path from the folder's top, and returns a hash of
    /// them all. A file that nobody listed is refused too: Core ML might read it.
    ///
    /// - Throws: ``EngineError``.
    func verify(package: String, listed: [String: String]) throws -> String {
        let expected = listed.filter { $0.key == package || $0.key.hasPrefix(package + "/") }
        guard !expected.isEmpty else { throw EngineError.damaged("there is no hash for \(package)") }
        var whole = ""
        for (name, hash) in expected.sorted(by: { $0.key < $1.key }) {
            guard !name.split(separator: "/").contains("..") else { throw EngineError.damaged("\(name) lies outside") }
            guard sha256(of: try read(name)) == hash else {
                throw EngineError.damaged("\(name) is not the file that was converted")
            }
            whole += "\(name) \(hash)\n"
        }
        let top = url.appendingPathComponent(package)
        let found = FileManager.default.enumerator(atPath: top.path)?.compactMap { $0 as? String } ?? []
        for name in found where expected["\(package)/\(name)"] == nil {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: top.appendingPathComponent(name).path, isDirectory: &isFolder)
            guard isFolder.boolValue else { throw EngineError.damaged("\(package)/\(name) is not of the bundle") }
        }
        return sha256(of: Data(whole.utf8))
    }
}
