import BoothEngine
import SwiftUI

/// Behind the version: whether this device computes what was converted. The first thing to look at on a new device.
struct GoldenView: View {
    @State var model: GoldenModel
    @Environment(Booth.self) private var booth
    @Environment(\.dismiss) private var dismiss

    var body: some View {
        Group {
            if let problem = model.problem {
                ProblemView(problem: problem, leave: { dismiss() }, choose: booth.take)
            } else {
                page
            }
        }
        .navigationTitle("Golden vectors")
        .navigationBarTitleDisplayMode(.inline)
    }

    private var page: some View {
        Page {
            Text("Each network’s golden vectors, on each choice of compute units: how close Core ML comes to what the saved program means.")
                .foregroundStyle(Color.ink2)
            ForEach(model.rows) { row in
                HStack(spacing: Space.one) {
                    Image(systemName: row.holds ? "checkmark.circle" : "xmark.circle")
                        .foregroundStyle(row.holds ? Color.ink2 : .red)
                        .accessibilityLabel(row.holds ? "Holds" : "Fails")
                    VStack(alignment: .leading) {
                        Text(verbatim: "\(row.output) · \(row.precision.rawValue)")
                        Text(row.units.name)
                            .font(.caption)
                            .foregroundStyle(Color.ink2)
                    }
                    Spacer()
                    Text("\(row.decibels, specifier: "%.1f") dB of \(row.least, specifier: "%.0f")")
                }
                .accessibilityElement(children: .combine)
            }
            if model.isBusy { Busy(label: "Computing") }
        } foot: {
            Button("Run them") { Task { await model.run() } }
                .buttonStyle(.filled)
                .disabled(model.isBusy)
        }
    }
}
