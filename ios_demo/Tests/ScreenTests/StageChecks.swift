import Foundation
import SwiftUI
import Testing

extension Stage {
    /// Every control has a name, every picture has one or is passed over, every screen has a heading or a title.
    static func check(_ screen: Screen, _ name: String) {
        let tree = screen.tree
        func words(_ node: Node) -> Bool {
            node.attributes["label"]?.isEmpty == false
                || node.all.contains { $0.kind == "text" && !$0.text.isEmpty && $0.attributes["unseen"] == nil }
        }
        /// What VoiceOver stops at: an element that stands for its children hides them.
        func stops(_ node: Node) -> [Node] {
            var result = [node]
            if node.kind == "element", node.attributes["children"] != "contain" { return result }
            for child in node.children { result += stops(child) }
            return result
        }
        for node in stops(tree) where node.attributes["hidden"] == nil {
            let isControl = node.action != nil || node.take != nil || ["slider", "picker"].contains(node.kind)
            if isControl { #expect(words(node), "\(name): a control without a name: \(node.described())") }
            if node.attributes["adjustable"] != nil { #expect(node.attributes["value"] != nil, "\(name): adjustable without a value") }
        }
        func pictures(_ node: Node, isNamed: Bool) {
            if node.attributes["hidden"] != nil { return }
            let isNamed = isNamed || node.attributes["label"] != nil || (node.action != nil && words(node)) || node.take != nil
            if node.kind == "image" { #expect(isNamed, "\(name): a picture without a name: \(node.text)") }
            node.children.forEach { pictures($0, isNamed: isNamed) }
        }
        pictures(tree, isNamed: false)
        let hasHeading = tree.all.contains { $0.kind == "title" || $0.attributes["traits"]?.contains("header") == true }
        #expect(hasHeading, "\(name) has no heading")
        draw(tree, name)
    }

    /// For `tools/drawings.py`: what stands on the screen, as a page.
    private static func draw(_ tree: Node, _ name: String) {
        let folder = root.appendingPathComponent(".work/drawings")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try? tree.page.write(to: folder.appendingPathComponent("\(name).html"), atomically: true, encoding: .utf8)
    }
}
