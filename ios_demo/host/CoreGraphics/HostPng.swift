import Foundation

/// PNG without compression: what tests look at, and drawings show. Not Apple's.
public enum HostPng {
    public static func encode(_ image: CGImage, description: String = "") -> Data {
        var raw = Data()
        for y in 0..<image.height {
            raw.append(0)
            raw.append(image.hostRgba[y * image.width * 4..<(y + 1) * image.width * 4])
        }
        var packed = Data([0x78, 0x01])
        var at = 0
        repeat {
            let count = min(65535, raw.count - at)
            packed.append(at + count == raw.count ? 1 : 0)
            for value in [UInt16(count), ~UInt16(count)] { packed.append(contentsOf: [UInt8(value & 255), UInt8(value >> 8)]) }
            packed.append(raw[at..<at + count])
            at += count
        } while at < raw.count
        var (a, b): (UInt32, UInt32) = (1, 0)
        raw.withUnsafeBytes { bytes in
            for byte in bytes {
                a = (a + UInt32(byte)) % 65521
                b = (b + a) % 65521
            }
        }
        packed.append(contentsOf: big(b << 16 | a))
        var result = Data([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
        result.append(chunk("IHDR", Data(big(UInt32(image.width)) + big(UInt32(image.height)) + [8, 6, 0, 0, 0])))
        if !description.isEmpty { result.append(chunk("tEXt", Data("Description\0\(description)".utf8))) }
        result.append(chunk("IDAT", packed))
        result.append(chunk("IEND", Data()))
        return result
    }

    private static func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

    private static let table: [UInt32] = (0..<256).map { n in
        (0..<8).reduce(UInt32(n)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
    }

    /// CRC-32 as PNG and zlib reckon it.
    public static func crc(_ data: Data) -> UInt32 {
        ~data.withUnsafeBytes { bytes in bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 255)] ^ $0 >> 8 } }
    }

    private static func chunk(_ type: String, _ data: Data) -> Data {
        let body = Data(type.utf8) + data
        return Data(big(UInt32(data.count))) + body + Data(big(crc(body)))
    }
}
