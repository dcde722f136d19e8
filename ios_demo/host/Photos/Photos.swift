// Stands in for Photos on Linux.
@_exported import Foundation

/// https://developer.apple.com/documentation/photos/phauthorizationstatus
public enum PHAuthorizationStatus: Int, Sendable { case notDetermined = 0, restricted = 1, denied = 2, authorized = 3, limited = 4 }
/// https://developer.apple.com/documentation/photos/phaccesslevel
public enum PHAccessLevel: Int, Sendable { case addOnly = 1, readWrite = 2 }
/// https://developer.apple.com/documentation/photos/phassetresourcetype
public enum PHAssetResourceType: Int, Sendable { case photo = 1 }
/// https://developer.apple.com/documentation/photos/phassetresourcecreationoptions
public final class PHAssetResourceCreationOptions: NSObject {}

/// https://developer.apple.com/documentation/photos/phphotolibrary
open class PHPhotoLibrary: NSObject, @unchecked Sendable {
    private static let one = PHPhotoLibrary()
    public class func shared() -> PHPhotoLibrary { one }
    public class func requestAuthorization(for accessLevel: PHAccessLevel) async -> PHAuthorizationStatus {
        HostPhotos.asked = accessLevel
        return HostPhotos.status
    }
    public func performChanges(_ changeBlock: @escaping @Sendable () -> Void) async throws {
        if HostPhotos.fails { throw CocoaError(.fileWriteOutOfSpace) }
        changeBlock()
    }
}

/// https://developer.apple.com/documentation/photos/phassetcreationrequest
open class PHAssetCreationRequest: NSObject {
    public class func forAsset() -> PHAssetCreationRequest { PHAssetCreationRequest() }
    public func addResource(with type: PHAssetResourceType, data: Data, options: PHAssetResourceCreationOptions?) {
        HostPhotos.added.append(data)
    }
}

/// What tests set and look at. Not Apple's.
public enum HostPhotos {
    nonisolated(unsafe) public static var status = PHAuthorizationStatus.authorized
    nonisolated(unsafe) public static var fails = false
    nonisolated(unsafe) public static var added: [Data] = []
    nonisolated(unsafe) public static var asked: PHAccessLevel?
}
