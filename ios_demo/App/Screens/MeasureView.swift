import BoothEngine
import SwiftUI

/// Behind the version: what both graphs of both networks cost on this very device.
struct MeasureView: View {
    @State var model: MeasureModel
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
        .navigationTitle("Measurements")
        .navigationBarTitleDisplayMode(.inline)
    }

    private var page: some View {
        Page {
            Text("Both graphs of each network, warm, from arrays in to arrays out. Keep the device cool and still.")
                .foregroundStyle(Color.ink2)
            Picker("Runs on", selection: $model.units) {
                ForEach(ComputeUnits.allCases, id: \.self) { units in Text(units.name).tag(units) }
            }
            ForEach(model.rows) { row in
                HStack {
                    VStack(alignment: .leading, spacing: Space.half) {
                        Text(verbatim: "\(row.graph) · \(row.precision)")
                            .font(.headline)
                        Text("\(row.steady.p10, specifier: "%.1f") to \(row.steady.p90, specifier: "%.1f") ms (p10 to p90)")
                            .font(.caption)
                        Text("Loaded in \(row.load, specifier: "%.0f") ms, first run \(row.first, specifier: "%.1f") ms")
                            .font(.caption)
                    }
                    Spacer()
                    Text("\(row.steady.median, specifier: "%.1f") ms")
                        .font(.title2)
                }
                .foregroundStyle(Color.ink)
                .padding(Space.two)
                .background(Color.surface, in: RoundedRectangle(cornerRadius: Space.radius))
                .accessibilityElement(children: .combine)
            }
        } foot: {
            if let busy = model.busy {
                Text("Measuring \(busy.graph) \(busy.precision.rawValue)")
                    .font(.subheadline)
                    .accessibilityAddTraits(.updatesFrequently)
            }
            Button {
                Task { await model.measure() }
            } label: {
                Label("Measure", systemImage: "stopwatch")
            }
            .buttonStyle(.filled)
            .disabled(model.busy != nil)
            if !model.rows.isEmpty, model.busy == nil {
                ShareLink(item: SharedMeasurements(json: model.json), preview: SharePreview("Measurements")) {
                    Label("Export JSON", systemImage: "square.and.arrow.up")
                }
                .buttonStyle(.tonal)
            }
        }
    }
}

extension ComputeUnits {
    var name: LocalizedStringKey {
        switch self {
        case .all: "Everything"
        case .cpuAndNeuralEngine: "CPU and Neural Engine"
        case .cpuAndGPU: "CPU and GPU"
        case .cpuOnly: "CPU alone"
        }
    }
}
