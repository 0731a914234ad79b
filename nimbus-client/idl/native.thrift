// What this engine's own workers, supervisors and Nimbus tell each other beyond Storm's protocol.
// `scripts/generate-thrift` makes src/generated/native.rs from this.

include "storm.thrift"

/** An error that a component reported. */
struct ReportedError {
  1: required string component_id
  2: required i32 task
  3: required string error
  4: required i64 time_ms
}

/** Latencies since the last report, an HDR histogram in its V2 encoding; `kind` says of what. */
struct LatencyHistogram {
  1: required string component_id
  2: required string kind
  3: required binary hdr_v2
}

/** How a worker does: every second to its supervisor, which passes it on to Nimbus. */
struct WorkerReport {
  1: required string worker_id
  2: required string topology_id
  3: required i32 port
  4: required storm.ClusterWorkerHeartbeat heartbeat
  5: required list<ReportedError> errors
  6: required list<LatencyHistogram> histograms
  7: required i32 pid
  8: required i64 resident_bytes
  9: required double cpu_seconds
  10: required map<string, i64> metrics
}

/** What a worker is to do; `version` grows with every change. */
struct WorkerOrders {
  1: required i64 version
  2: required storm.TopologyStatus status
  3: optional storm.Assignment assignment
  4: optional storm.LogConfig log_config
  5: optional map<string, storm.DebugOptions> component_debug
  6: optional storm.Credentials credentials
}

/** What a supervisor answers to its workers, on its Thrift port. */
service WorkerGate {
  void report(1: WorkerReport report) throws (1: storm.NotAliveException e)

  // Answers at once if the orders are not of `seen_version`, else when they change or `wait_ms` is over.
  WorkerOrders orders(1: string topology_id, 2: i32 port, 3: i64 seen_version, 4: i32 wait_ms)
      throws (1: storm.NotAliveException e)
}

/** What Nimbus answers to supervisors and clients of this engine, on its Thrift port. */
service SupervisorGate {
  void reportWorkers(1: string supervisor_id, 2: list<WorkerReport> reports)

  // The last report of each living worker of a topology. Its histograms are summed over the worker's
  // life, so that whoever asks twice has by subtraction what happened in between.
  list<WorkerReport> workerReports(1: string topology_id) throws (1: storm.NotAliveException e)
}
