"""The kernels that phones run: bundles on emulated arm64 CPUs, on a PC."""
