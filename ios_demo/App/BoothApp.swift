import SwiftUI

#if os(iOS)
    @main
#endif
struct BoothApp: App {
    @State private var booth = Booth.shipped()

    var body: some Scene {
        WindowGroup {
            RootView()
                .environment(booth)
                .tint(.accent)
        }
    }
}
