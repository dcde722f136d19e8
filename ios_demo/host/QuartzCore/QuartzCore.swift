// Stands in for QuartzCore on Linux.
@_exported import Foundation

/// https://developer.apple.com/documentation/quartzcore/calayer
open class CALayer: NSObject {
    public required override init() {}
}
