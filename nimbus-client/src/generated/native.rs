//! Generated from `idl/native.thrift` by `scripts/generate-thrift`: change that file, not this one.

#![allow(unused_imports)]
#![allow(unused_extern_crates)]
#![allow(clippy::too_many_arguments, clippy::type_complexity, clippy::vec_box)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::{From, TryFrom};
use std::default::Default;
use std::error::Error;
use std::fmt;
use std::fmt::{Display, Formatter};
use std::rc::Rc;

use thrift::OrderedFloat;
use thrift::{ApplicationError, ApplicationErrorKind, ProtocolError, ProtocolErrorKind, TThriftClient};
use thrift::protocol::{TFieldIdentifier, TListIdentifier, TMapIdentifier, TMessageIdentifier, TMessageType, TInputProtocol, TOutputProtocol, TSerializable, TSetIdentifier, TStructIdentifier, TType};
use thrift::protocol::field_id;
use thrift::protocol::verify_expected_message_type;
use thrift::protocol::verify_expected_sequence_number;
use thrift::protocol::verify_expected_service_call;
use thrift::protocol::verify_required_field_exists;
use thrift::server::TProcessor;

use crate::thrift as storm;

//
// ReportedError
//

/// An error that a component reported.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReportedError {
  pub component_id: String,
  pub task: i32,
  pub error: String,
  pub time_ms: i64,
}

impl ReportedError {
  pub fn new(component_id: String, task: i32, error: String, time_ms: i64) -> ReportedError {
    ReportedError {
      component_id,
      task,
      error,
      time_ms,
    }
  }
}

impl TSerializable for ReportedError {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<ReportedError> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    let mut f_2: Option<i32> = None;
    let mut f_3: Option<String> = None;
    let mut f_4: Option<i64> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        2 => {
          let val = i_prot.read_i32()?;
          f_2 = Some(val);
        },
        3 => {
          let val = i_prot.read_string()?;
          f_3 = Some(val);
        },
        4 => {
          let val = i_prot.read_i64()?;
          f_4 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("ReportedError.component_id", &f_1)?;
    verify_required_field_exists("ReportedError.task", &f_2)?;
    verify_required_field_exists("ReportedError.error", &f_3)?;
    verify_required_field_exists("ReportedError.time_ms", &f_4)?;
    let ret = ReportedError {
      component_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
      task: f_2.expect("auto-generated code should have checked for presence of required fields"),
      error: f_3.expect("auto-generated code should have checked for presence of required fields"),
      time_ms: f_4.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("ReportedError");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("component_id", TType::String, 1))?;
    o_prot.write_string(&self.component_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("task", TType::I32, 2))?;
    o_prot.write_i32(self.task)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("error", TType::String, 3))?;
    o_prot.write_string(&self.error)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("time_ms", TType::I64, 4))?;
    o_prot.write_i64(self.time_ms)?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// LatencyHistogram
//

/// Latencies since the last report, an HDR histogram in its V2 encoding; `kind` says of what.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LatencyHistogram {
  pub component_id: String,
  pub kind: String,
  pub hdr_v2: Vec<u8>,
}

impl LatencyHistogram {
  pub fn new(component_id: String, kind: String, hdr_v2: Vec<u8>) -> LatencyHistogram {
    LatencyHistogram {
      component_id,
      kind,
      hdr_v2,
    }
  }
}

impl TSerializable for LatencyHistogram {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<LatencyHistogram> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    let mut f_2: Option<String> = None;
    let mut f_3: Option<Vec<u8>> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        2 => {
          let val = i_prot.read_string()?;
          f_2 = Some(val);
        },
        3 => {
          let val = i_prot.read_bytes()?;
          f_3 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("LatencyHistogram.component_id", &f_1)?;
    verify_required_field_exists("LatencyHistogram.kind", &f_2)?;
    verify_required_field_exists("LatencyHistogram.hdr_v2", &f_3)?;
    let ret = LatencyHistogram {
      component_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
      kind: f_2.expect("auto-generated code should have checked for presence of required fields"),
      hdr_v2: f_3.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("LatencyHistogram");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("component_id", TType::String, 1))?;
    o_prot.write_string(&self.component_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("kind", TType::String, 2))?;
    o_prot.write_string(&self.kind)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("hdr_v2", TType::String, 3))?;
    o_prot.write_bytes(&self.hdr_v2)?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerReport
//

/// How a worker does: every second to its supervisor, which passes it on to Nimbus.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WorkerReport {
  pub worker_id: String,
  pub topology_id: String,
  pub port: i32,
  pub heartbeat: storm::ClusterWorkerHeartbeat,
  pub errors: Vec<ReportedError>,
  pub histograms: Vec<LatencyHistogram>,
  pub pid: i32,
  pub resident_bytes: i64,
  pub cpu_seconds: OrderedFloat<f64>,
  pub metrics: BTreeMap<String, i64>,
}

impl WorkerReport {
  pub fn new(worker_id: String, topology_id: String, port: i32, heartbeat: storm::ClusterWorkerHeartbeat, errors: Vec<ReportedError>, histograms: Vec<LatencyHistogram>, pid: i32, resident_bytes: i64, cpu_seconds: OrderedFloat<f64>, metrics: BTreeMap<String, i64>) -> WorkerReport {
    WorkerReport {
      worker_id,
      topology_id,
      port,
      heartbeat,
      errors,
      histograms,
      pid,
      resident_bytes,
      cpu_seconds,
      metrics,
    }
  }
}

impl TSerializable for WorkerReport {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerReport> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    let mut f_2: Option<String> = None;
    let mut f_3: Option<i32> = None;
    let mut f_4: Option<storm::ClusterWorkerHeartbeat> = None;
    let mut f_5: Option<Vec<ReportedError>> = None;
    let mut f_6: Option<Vec<LatencyHistogram>> = None;
    let mut f_7: Option<i32> = None;
    let mut f_8: Option<i64> = None;
    let mut f_9: Option<OrderedFloat<f64>> = None;
    let mut f_10: Option<BTreeMap<String, i64>> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        2 => {
          let val = i_prot.read_string()?;
          f_2 = Some(val);
        },
        3 => {
          let val = i_prot.read_i32()?;
          f_3 = Some(val);
        },
        4 => {
          let val = storm::ClusterWorkerHeartbeat::read_from_in_protocol(i_prot)?;
          f_4 = Some(val);
        },
        5 => {
          let list_ident = i_prot.read_list_begin()?;
          let mut val: Vec<ReportedError> = Vec::with_capacity(thrift::protocol::prealloc_size(list_ident.size));
          for _ in 0..list_ident.size {
            let list_elem_0 = ReportedError::read_from_in_protocol(i_prot)?;
            val.push(list_elem_0);
          }
          i_prot.read_list_end()?;
          f_5 = Some(val);
        },
        6 => {
          let list_ident = i_prot.read_list_begin()?;
          let mut val: Vec<LatencyHistogram> = Vec::with_capacity(thrift::protocol::prealloc_size(list_ident.size));
          for _ in 0..list_ident.size {
            let list_elem_1 = LatencyHistogram::read_from_in_protocol(i_prot)?;
            val.push(list_elem_1);
          }
          i_prot.read_list_end()?;
          f_6 = Some(val);
        },
        7 => {
          let val = i_prot.read_i32()?;
          f_7 = Some(val);
        },
        8 => {
          let val = i_prot.read_i64()?;
          f_8 = Some(val);
        },
        9 => {
          let val = OrderedFloat::from(i_prot.read_double()?);
          f_9 = Some(val);
        },
        10 => {
          let map_ident = i_prot.read_map_begin()?;
          let mut val: BTreeMap<String, i64> = BTreeMap::new();
          for _ in 0..map_ident.size {
            let map_key_2 = i_prot.read_string()?;
            let map_val_3 = i_prot.read_i64()?;
            val.insert(map_key_2, map_val_3);
          }
          i_prot.read_map_end()?;
          f_10 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("WorkerReport.worker_id", &f_1)?;
    verify_required_field_exists("WorkerReport.topology_id", &f_2)?;
    verify_required_field_exists("WorkerReport.port", &f_3)?;
    verify_required_field_exists("WorkerReport.heartbeat", &f_4)?;
    verify_required_field_exists("WorkerReport.errors", &f_5)?;
    verify_required_field_exists("WorkerReport.histograms", &f_6)?;
    verify_required_field_exists("WorkerReport.pid", &f_7)?;
    verify_required_field_exists("WorkerReport.resident_bytes", &f_8)?;
    verify_required_field_exists("WorkerReport.cpu_seconds", &f_9)?;
    verify_required_field_exists("WorkerReport.metrics", &f_10)?;
    let ret = WorkerReport {
      worker_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
      topology_id: f_2.expect("auto-generated code should have checked for presence of required fields"),
      port: f_3.expect("auto-generated code should have checked for presence of required fields"),
      heartbeat: f_4.expect("auto-generated code should have checked for presence of required fields"),
      errors: f_5.expect("auto-generated code should have checked for presence of required fields"),
      histograms: f_6.expect("auto-generated code should have checked for presence of required fields"),
      pid: f_7.expect("auto-generated code should have checked for presence of required fields"),
      resident_bytes: f_8.expect("auto-generated code should have checked for presence of required fields"),
      cpu_seconds: f_9.expect("auto-generated code should have checked for presence of required fields"),
      metrics: f_10.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("WorkerReport");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("worker_id", TType::String, 1))?;
    o_prot.write_string(&self.worker_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("topology_id", TType::String, 2))?;
    o_prot.write_string(&self.topology_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("port", TType::I32, 3))?;
    o_prot.write_i32(self.port)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("heartbeat", TType::Struct, 4))?;
    self.heartbeat.write_to_out_protocol(o_prot)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("errors", TType::List, 5))?;
    o_prot.write_list_begin(&TListIdentifier::new(TType::Struct, self.errors.len() as i32))?;
    for e in &self.errors {
      e.write_to_out_protocol(o_prot)?;
    }
    o_prot.write_list_end()?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("histograms", TType::List, 6))?;
    o_prot.write_list_begin(&TListIdentifier::new(TType::Struct, self.histograms.len() as i32))?;
    for e in &self.histograms {
      e.write_to_out_protocol(o_prot)?;
    }
    o_prot.write_list_end()?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("pid", TType::I32, 7))?;
    o_prot.write_i32(self.pid)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("resident_bytes", TType::I64, 8))?;
    o_prot.write_i64(self.resident_bytes)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("cpu_seconds", TType::Double, 9))?;
    o_prot.write_double(self.cpu_seconds.into())?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("metrics", TType::Map, 10))?;
    o_prot.write_map_begin(&TMapIdentifier::new(TType::String, TType::I64, self.metrics.len() as i32))?;
    for (k, v) in &self.metrics {
      o_prot.write_string(k)?;
      o_prot.write_i64(*v)?;
    }
    o_prot.write_map_end()?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerOrders
//

/// What a worker is to do; `version` grows with every change.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WorkerOrders {
  pub version: i64,
  pub status: storm::TopologyStatus,
  pub assignment: Option<storm::Assignment>,
  pub log_config: Option<storm::LogConfig>,
  pub component_debug: Option<BTreeMap<String, storm::DebugOptions>>,
  pub credentials: Option<storm::Credentials>,
}

impl WorkerOrders {
  pub fn new<F3, F4, F5, F6>(version: i64, status: storm::TopologyStatus, assignment: F3, log_config: F4, component_debug: F5, credentials: F6) -> WorkerOrders where F3: Into<Option<storm::Assignment>>, F4: Into<Option<storm::LogConfig>>, F5: Into<Option<BTreeMap<String, storm::DebugOptions>>>, F6: Into<Option<storm::Credentials>> {
    WorkerOrders {
      version,
      status,
      assignment: assignment.into(),
      log_config: log_config.into(),
      component_debug: component_debug.into(),
      credentials: credentials.into(),
    }
  }
}

impl TSerializable for WorkerOrders {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerOrders> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<i64> = None;
    let mut f_2: Option<storm::TopologyStatus> = None;
    let mut f_3: Option<storm::Assignment> = None;
    let mut f_4: Option<storm::LogConfig> = None;
    let mut f_5: Option<BTreeMap<String, storm::DebugOptions>> = None;
    let mut f_6: Option<storm::Credentials> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_i64()?;
          f_1 = Some(val);
        },
        2 => {
          let val = storm::TopologyStatus::read_from_in_protocol(i_prot)?;
          f_2 = Some(val);
        },
        3 => {
          let val = storm::Assignment::read_from_in_protocol(i_prot)?;
          f_3 = Some(val);
        },
        4 => {
          let val = storm::LogConfig::read_from_in_protocol(i_prot)?;
          f_4 = Some(val);
        },
        5 => {
          let map_ident = i_prot.read_map_begin()?;
          let mut val: BTreeMap<String, storm::DebugOptions> = BTreeMap::new();
          for _ in 0..map_ident.size {
            let map_key_4 = i_prot.read_string()?;
            let map_val_5 = storm::DebugOptions::read_from_in_protocol(i_prot)?;
            val.insert(map_key_4, map_val_5);
          }
          i_prot.read_map_end()?;
          f_5 = Some(val);
        },
        6 => {
          let val = storm::Credentials::read_from_in_protocol(i_prot)?;
          f_6 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("WorkerOrders.version", &f_1)?;
    verify_required_field_exists("WorkerOrders.status", &f_2)?;
    let ret = WorkerOrders {
      version: f_1.expect("auto-generated code should have checked for presence of required fields"),
      status: f_2.expect("auto-generated code should have checked for presence of required fields"),
      assignment: f_3,
      log_config: f_4,
      component_debug: f_5,
      credentials: f_6,
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("WorkerOrders");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("version", TType::I64, 1))?;
    o_prot.write_i64(self.version)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("status", TType::I32, 2))?;
    self.status.write_to_out_protocol(o_prot)?;
    o_prot.write_field_end()?;
    if let Some(ref fld_var) = self.assignment {
      o_prot.write_field_begin(&TFieldIdentifier::new("assignment", TType::Struct, 3))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    if let Some(ref fld_var) = self.log_config {
      o_prot.write_field_begin(&TFieldIdentifier::new("log_config", TType::Struct, 4))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    if let Some(ref fld_var) = self.component_debug {
      o_prot.write_field_begin(&TFieldIdentifier::new("component_debug", TType::Map, 5))?;
      o_prot.write_map_begin(&TMapIdentifier::new(TType::String, TType::Struct, fld_var.len() as i32))?;
      for (k, v) in fld_var {
        o_prot.write_string(k)?;
        v.write_to_out_protocol(o_prot)?;
      }
      o_prot.write_map_end()?;
      o_prot.write_field_end()?
    }
    if let Some(ref fld_var) = self.credentials {
      o_prot.write_field_begin(&TFieldIdentifier::new("credentials", TType::Struct, 6))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerGate service client
//

/// What a supervisor answers to its workers, on its Thrift port.
pub trait TWorkerGateSyncClient {
  fn report(&mut self, report: WorkerReport) -> thrift::Result<()>;
  fn orders(&mut self, topology_id: String, port: i32, seen_version: i64, wait_ms: i32) -> thrift::Result<WorkerOrders>;
}

pub trait TWorkerGateSyncClientMarker {}

pub struct WorkerGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  _i_prot: IP,
  _o_prot: OP,
  _sequence_number: i32,
}

impl <IP, OP> WorkerGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  pub fn new(input_protocol: IP, output_protocol: OP) -> WorkerGateSyncClient<IP, OP> {
    WorkerGateSyncClient { _i_prot: input_protocol, _o_prot: output_protocol, _sequence_number: 0 }
  }
}

impl <IP, OP> TThriftClient for WorkerGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  fn i_prot_mut(&mut self) -> &mut dyn TInputProtocol { &mut self._i_prot }
  fn o_prot_mut(&mut self) -> &mut dyn TOutputProtocol { &mut self._o_prot }
  fn sequence_number(&self) -> i32 { self._sequence_number }
  fn increment_sequence_number(&mut self) -> i32 { self._sequence_number += 1; self._sequence_number }
}

impl <IP, OP> TWorkerGateSyncClientMarker for WorkerGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {}

impl <C: TThriftClient + TWorkerGateSyncClientMarker> TWorkerGateSyncClient for C {
  fn report(&mut self, report: WorkerReport) -> thrift::Result<()> {
    (
      {
        self.increment_sequence_number();
        let message_ident = TMessageIdentifier::new("report", TMessageType::Call, self.sequence_number());
        let call_args = WorkerGateReportArgs { report };
        self.o_prot_mut().write_message_begin(&message_ident)?;
        call_args.write_to_out_protocol(self.o_prot_mut())?;
        self.o_prot_mut().write_message_end()?;
        self.o_prot_mut().flush()
      }
    )?;
    {
      let message_ident = self.i_prot_mut().read_message_begin()?;
      verify_expected_sequence_number(self.sequence_number(), message_ident.sequence_number)?;
      verify_expected_service_call("report", &message_ident.name)?;
      if message_ident.message_type == TMessageType::Exception {
        let remote_error = thrift::Error::read_application_error_from_in_protocol(self.i_prot_mut())?;
        self.i_prot_mut().read_message_end()?;
        return Err(thrift::Error::Application(remote_error))
      }
      verify_expected_message_type(TMessageType::Reply, message_ident.message_type)?;
      let result = WorkerGateReportResult::read_from_in_protocol(self.i_prot_mut())?;
      self.i_prot_mut().read_message_end()?;
      result.ok_or()
    }
  }
  fn orders(&mut self, topology_id: String, port: i32, seen_version: i64, wait_ms: i32) -> thrift::Result<WorkerOrders> {
    (
      {
        self.increment_sequence_number();
        let message_ident = TMessageIdentifier::new("orders", TMessageType::Call, self.sequence_number());
        let call_args = WorkerGateOrdersArgs { topology_id, port, seen_version, wait_ms };
        self.o_prot_mut().write_message_begin(&message_ident)?;
        call_args.write_to_out_protocol(self.o_prot_mut())?;
        self.o_prot_mut().write_message_end()?;
        self.o_prot_mut().flush()
      }
    )?;
    {
      let message_ident = self.i_prot_mut().read_message_begin()?;
      verify_expected_sequence_number(self.sequence_number(), message_ident.sequence_number)?;
      verify_expected_service_call("orders", &message_ident.name)?;
      if message_ident.message_type == TMessageType::Exception {
        let remote_error = thrift::Error::read_application_error_from_in_protocol(self.i_prot_mut())?;
        self.i_prot_mut().read_message_end()?;
        return Err(thrift::Error::Application(remote_error))
      }
      verify_expected_message_type(TMessageType::Reply, message_ident.message_type)?;
      let result = WorkerGateOrdersResult::read_from_in_protocol(self.i_prot_mut())?;
      self.i_prot_mut().read_message_end()?;
      result.ok_or()
    }
  }
}

//
// WorkerGate service processor
//

/// What a supervisor answers to its workers, on its Thrift port.
pub trait WorkerGateSyncHandler {
  fn handle_report(&self, report: WorkerReport) -> thrift::Result<()>;
  fn handle_orders(&self, topology_id: String, port: i32, seen_version: i64, wait_ms: i32) -> thrift::Result<WorkerOrders>;
}

pub struct WorkerGateSyncProcessor<H: WorkerGateSyncHandler> {
  handler: H,
}

impl <H: WorkerGateSyncHandler> WorkerGateSyncProcessor<H> {
  pub fn new(handler: H) -> WorkerGateSyncProcessor<H> {
    WorkerGateSyncProcessor {
      handler,
    }
  }
  fn process_report(&self, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    TWorkerGateProcessFunctions::process_report(&self.handler, incoming_sequence_number, i_prot, o_prot)
  }
  fn process_orders(&self, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    TWorkerGateProcessFunctions::process_orders(&self.handler, incoming_sequence_number, i_prot, o_prot)
  }
}

pub struct TWorkerGateProcessFunctions;

impl TWorkerGateProcessFunctions {
  pub fn process_report<H: WorkerGateSyncHandler>(handler: &H, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let args = WorkerGateReportArgs::read_from_in_protocol(i_prot)?;
    match handler.handle_report(args.report) {
      Ok(_) => {
        let message_ident = TMessageIdentifier::new("report", TMessageType::Reply, incoming_sequence_number);
        o_prot.write_message_begin(&message_ident)?;
        let ret = WorkerGateReportResult { e: None };
        ret.write_to_out_protocol(o_prot)?;
        o_prot.write_message_end()?;
        o_prot.flush()
      },
      Err(e) => {
        match e {
          thrift::Error::User(usr_err) => {
            if usr_err.downcast_ref::<storm::NotAliveException>().is_some() {
              let err = usr_err.downcast::<storm::NotAliveException>().expect("downcast already checked");
              let ret_err = WorkerGateReportResult{ e: Some(*err) };
              let message_ident = TMessageIdentifier::new("report", TMessageType::Reply, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              ret_err.write_to_out_protocol(o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            } else {
              let ret_err = {
                ApplicationError::new(
                  ApplicationErrorKind::Unknown,
                  usr_err.to_string()
                )
              };
              let message_ident = TMessageIdentifier::new("report", TMessageType::Exception, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            }
          },
          thrift::Error::Application(app_err) => {
            let message_ident = TMessageIdentifier::new("report", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&app_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
          _ => {
            let ret_err = {
              ApplicationError::new(
                ApplicationErrorKind::Unknown,
                e.to_string()
              )
            };
            let message_ident = TMessageIdentifier::new("report", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
        }
      },
    }
  }
  pub fn process_orders<H: WorkerGateSyncHandler>(handler: &H, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let args = WorkerGateOrdersArgs::read_from_in_protocol(i_prot)?;
    match handler.handle_orders(args.topology_id, args.port, args.seen_version, args.wait_ms) {
      Ok(handler_return) => {
        let message_ident = TMessageIdentifier::new("orders", TMessageType::Reply, incoming_sequence_number);
        o_prot.write_message_begin(&message_ident)?;
        let ret = WorkerGateOrdersResult { result_value: Some(handler_return), e: None };
        ret.write_to_out_protocol(o_prot)?;
        o_prot.write_message_end()?;
        o_prot.flush()
      },
      Err(e) => {
        match e {
          thrift::Error::User(usr_err) => {
            if usr_err.downcast_ref::<storm::NotAliveException>().is_some() {
              let err = usr_err.downcast::<storm::NotAliveException>().expect("downcast already checked");
              let ret_err = WorkerGateOrdersResult{ result_value: None, e: Some(*err) };
              let message_ident = TMessageIdentifier::new("orders", TMessageType::Reply, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              ret_err.write_to_out_protocol(o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            } else {
              let ret_err = {
                ApplicationError::new(
                  ApplicationErrorKind::Unknown,
                  usr_err.to_string()
                )
              };
              let message_ident = TMessageIdentifier::new("orders", TMessageType::Exception, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            }
          },
          thrift::Error::Application(app_err) => {
            let message_ident = TMessageIdentifier::new("orders", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&app_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
          _ => {
            let ret_err = {
              ApplicationError::new(
                ApplicationErrorKind::Unknown,
                e.to_string()
              )
            };
            let message_ident = TMessageIdentifier::new("orders", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
        }
      },
    }
  }
}

impl <H: WorkerGateSyncHandler> TProcessor for WorkerGateSyncProcessor<H> {
  fn process(&self, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let message_ident = i_prot.read_message_begin()?;
    let res = match &*message_ident.name {
      "report" => {
        self.process_report(message_ident.sequence_number, i_prot, o_prot)
      },
      "orders" => {
        self.process_orders(message_ident.sequence_number, i_prot, o_prot)
      },
      method => {
        Err(
          thrift::Error::Application(
            ApplicationError::new(
              ApplicationErrorKind::UnknownMethod,
              format!("unknown method {}", method)
            )
          )
        )
      },
    };
    crate::wire::finish_call(&message_ident, res, o_prot)
  }
}

//
// WorkerGateReportArgs
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct WorkerGateReportArgs {
  report: WorkerReport,
}

impl WorkerGateReportArgs {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerGateReportArgs> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<WorkerReport> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = WorkerReport::read_from_in_protocol(i_prot)?;
          f_1 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("WorkerGateReportArgs.report", &f_1)?;
    let ret = WorkerGateReportArgs {
      report: f_1.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("report_args");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("report", TType::Struct, 1))?;
    self.report.write_to_out_protocol(o_prot)?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerGateReportResult
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct WorkerGateReportResult {
  e: Option<storm::NotAliveException>,
}

impl WorkerGateReportResult {
  fn ok_or(self) -> thrift::Result<()> {
    if self.e.is_some() {
      Err(thrift::Error::User(Box::new(self.e.unwrap())))
    } else {
      Ok(())
    }
  }
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerGateReportResult> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<storm::NotAliveException> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = storm::NotAliveException::read_from_in_protocol(i_prot)?;
          f_1 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    let ret = WorkerGateReportResult {
      e: f_1,
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("WorkerGateReportResult");
    o_prot.write_struct_begin(&struct_ident)?;
    if let Some(ref fld_var) = self.e {
      o_prot.write_field_begin(&TFieldIdentifier::new("e", TType::Struct, 1))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerGateOrdersArgs
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct WorkerGateOrdersArgs {
  topology_id: String,
  port: i32,
  seen_version: i64,
  wait_ms: i32,
}

impl WorkerGateOrdersArgs {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerGateOrdersArgs> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    let mut f_2: Option<i32> = None;
    let mut f_3: Option<i64> = None;
    let mut f_4: Option<i32> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        2 => {
          let val = i_prot.read_i32()?;
          f_2 = Some(val);
        },
        3 => {
          let val = i_prot.read_i64()?;
          f_3 = Some(val);
        },
        4 => {
          let val = i_prot.read_i32()?;
          f_4 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("WorkerGateOrdersArgs.topology_id", &f_1)?;
    verify_required_field_exists("WorkerGateOrdersArgs.port", &f_2)?;
    verify_required_field_exists("WorkerGateOrdersArgs.seen_version", &f_3)?;
    verify_required_field_exists("WorkerGateOrdersArgs.wait_ms", &f_4)?;
    let ret = WorkerGateOrdersArgs {
      topology_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
      port: f_2.expect("auto-generated code should have checked for presence of required fields"),
      seen_version: f_3.expect("auto-generated code should have checked for presence of required fields"),
      wait_ms: f_4.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("orders_args");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("topology_id", TType::String, 1))?;
    o_prot.write_string(&self.topology_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("port", TType::I32, 2))?;
    o_prot.write_i32(self.port)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("seen_version", TType::I64, 3))?;
    o_prot.write_i64(self.seen_version)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("wait_ms", TType::I32, 4))?;
    o_prot.write_i32(self.wait_ms)?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// WorkerGateOrdersResult
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct WorkerGateOrdersResult {
  result_value: Option<WorkerOrders>,
  e: Option<storm::NotAliveException>,
}

impl WorkerGateOrdersResult {
  fn ok_or(self) -> thrift::Result<WorkerOrders> {
    if self.e.is_some() {
      Err(thrift::Error::User(Box::new(self.e.unwrap())))
    } else if self.result_value.is_some() {
      Ok(self.result_value.unwrap())
    } else {
      Err(
        thrift::Error::Application(
          ApplicationError::new(
            ApplicationErrorKind::MissingResult,
            "no result received for WorkerGateOrders"
          )
        )
      )
    }
  }
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<WorkerGateOrdersResult> {
    i_prot.read_struct_begin()?;
    let mut f_0: Option<WorkerOrders> = None;
    let mut f_1: Option<storm::NotAliveException> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        0 => {
          let val = WorkerOrders::read_from_in_protocol(i_prot)?;
          f_0 = Some(val);
        },
        1 => {
          let val = storm::NotAliveException::read_from_in_protocol(i_prot)?;
          f_1 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    let ret = WorkerGateOrdersResult {
      result_value: f_0,
      e: f_1,
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("WorkerGateOrdersResult");
    o_prot.write_struct_begin(&struct_ident)?;
    if let Some(ref fld_var) = self.result_value {
      o_prot.write_field_begin(&TFieldIdentifier::new("result_value", TType::Struct, 0))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    if let Some(ref fld_var) = self.e {
      o_prot.write_field_begin(&TFieldIdentifier::new("e", TType::Struct, 1))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// SupervisorGate service client
//

/// What Nimbus answers to supervisors and clients of this engine, on its Thrift port.
pub trait TSupervisorGateSyncClient {
  fn report_workers(&mut self, supervisor_id: String, reports: Vec<WorkerReport>) -> thrift::Result<()>;
  fn worker_reports(&mut self, topology_id: String) -> thrift::Result<Vec<WorkerReport>>;
}

pub trait TSupervisorGateSyncClientMarker {}

pub struct SupervisorGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  _i_prot: IP,
  _o_prot: OP,
  _sequence_number: i32,
}

impl <IP, OP> SupervisorGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  pub fn new(input_protocol: IP, output_protocol: OP) -> SupervisorGateSyncClient<IP, OP> {
    SupervisorGateSyncClient { _i_prot: input_protocol, _o_prot: output_protocol, _sequence_number: 0 }
  }
}

impl <IP, OP> TThriftClient for SupervisorGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {
  fn i_prot_mut(&mut self) -> &mut dyn TInputProtocol { &mut self._i_prot }
  fn o_prot_mut(&mut self) -> &mut dyn TOutputProtocol { &mut self._o_prot }
  fn sequence_number(&self) -> i32 { self._sequence_number }
  fn increment_sequence_number(&mut self) -> i32 { self._sequence_number += 1; self._sequence_number }
}

impl <IP, OP> TSupervisorGateSyncClientMarker for SupervisorGateSyncClient<IP, OP> where IP: TInputProtocol, OP: TOutputProtocol {}

impl <C: TThriftClient + TSupervisorGateSyncClientMarker> TSupervisorGateSyncClient for C {
  fn report_workers(&mut self, supervisor_id: String, reports: Vec<WorkerReport>) -> thrift::Result<()> {
    (
      {
        self.increment_sequence_number();
        let message_ident = TMessageIdentifier::new("reportWorkers", TMessageType::Call, self.sequence_number());
        let call_args = SupervisorGateReportWorkersArgs { supervisor_id, reports };
        self.o_prot_mut().write_message_begin(&message_ident)?;
        call_args.write_to_out_protocol(self.o_prot_mut())?;
        self.o_prot_mut().write_message_end()?;
        self.o_prot_mut().flush()
      }
    )?;
    {
      let message_ident = self.i_prot_mut().read_message_begin()?;
      verify_expected_sequence_number(self.sequence_number(), message_ident.sequence_number)?;
      verify_expected_service_call("reportWorkers", &message_ident.name)?;
      if message_ident.message_type == TMessageType::Exception {
        let remote_error = thrift::Error::read_application_error_from_in_protocol(self.i_prot_mut())?;
        self.i_prot_mut().read_message_end()?;
        return Err(thrift::Error::Application(remote_error))
      }
      verify_expected_message_type(TMessageType::Reply, message_ident.message_type)?;
      let result = SupervisorGateReportWorkersResult::read_from_in_protocol(self.i_prot_mut())?;
      self.i_prot_mut().read_message_end()?;
      result.ok_or()
    }
  }
  fn worker_reports(&mut self, topology_id: String) -> thrift::Result<Vec<WorkerReport>> {
    (
      {
        self.increment_sequence_number();
        let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Call, self.sequence_number());
        let call_args = SupervisorGateWorkerReportsArgs { topology_id };
        self.o_prot_mut().write_message_begin(&message_ident)?;
        call_args.write_to_out_protocol(self.o_prot_mut())?;
        self.o_prot_mut().write_message_end()?;
        self.o_prot_mut().flush()
      }
    )?;
    {
      let message_ident = self.i_prot_mut().read_message_begin()?;
      verify_expected_sequence_number(self.sequence_number(), message_ident.sequence_number)?;
      verify_expected_service_call("workerReports", &message_ident.name)?;
      if message_ident.message_type == TMessageType::Exception {
        let remote_error = thrift::Error::read_application_error_from_in_protocol(self.i_prot_mut())?;
        self.i_prot_mut().read_message_end()?;
        return Err(thrift::Error::Application(remote_error))
      }
      verify_expected_message_type(TMessageType::Reply, message_ident.message_type)?;
      let result = SupervisorGateWorkerReportsResult::read_from_in_protocol(self.i_prot_mut())?;
      self.i_prot_mut().read_message_end()?;
      result.ok_or()
    }
  }
}

//
// SupervisorGate service processor
//

/// What Nimbus answers to supervisors and clients of this engine, on its Thrift port.
pub trait SupervisorGateSyncHandler {
  fn handle_report_workers(&self, supervisor_id: String, reports: Vec<WorkerReport>) -> thrift::Result<()>;
  fn handle_worker_reports(&self, topology_id: String) -> thrift::Result<Vec<WorkerReport>>;
}

pub struct SupervisorGateSyncProcessor<H: SupervisorGateSyncHandler> {
  handler: H,
}

impl <H: SupervisorGateSyncHandler> SupervisorGateSyncProcessor<H> {
  pub fn new(handler: H) -> SupervisorGateSyncProcessor<H> {
    SupervisorGateSyncProcessor {
      handler,
    }
  }
  fn process_report_workers(&self, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    TSupervisorGateProcessFunctions::process_report_workers(&self.handler, incoming_sequence_number, i_prot, o_prot)
  }
  fn process_worker_reports(&self, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    TSupervisorGateProcessFunctions::process_worker_reports(&self.handler, incoming_sequence_number, i_prot, o_prot)
  }
}

pub struct TSupervisorGateProcessFunctions;

impl TSupervisorGateProcessFunctions {
  pub fn process_report_workers<H: SupervisorGateSyncHandler>(handler: &H, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let args = SupervisorGateReportWorkersArgs::read_from_in_protocol(i_prot)?;
    match handler.handle_report_workers(args.supervisor_id, args.reports) {
      Ok(_) => {
        let message_ident = TMessageIdentifier::new("reportWorkers", TMessageType::Reply, incoming_sequence_number);
        o_prot.write_message_begin(&message_ident)?;
        let ret = SupervisorGateReportWorkersResult {  };
        ret.write_to_out_protocol(o_prot)?;
        o_prot.write_message_end()?;
        o_prot.flush()
      },
      Err(e) => {
        match e {
          thrift::Error::Application(app_err) => {
            let message_ident = TMessageIdentifier::new("reportWorkers", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&app_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
          _ => {
            let ret_err = {
              ApplicationError::new(
                ApplicationErrorKind::Unknown,
                e.to_string()
              )
            };
            let message_ident = TMessageIdentifier::new("reportWorkers", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
        }
      },
    }
  }
  pub fn process_worker_reports<H: SupervisorGateSyncHandler>(handler: &H, incoming_sequence_number: i32, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let args = SupervisorGateWorkerReportsArgs::read_from_in_protocol(i_prot)?;
    match handler.handle_worker_reports(args.topology_id) {
      Ok(handler_return) => {
        let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Reply, incoming_sequence_number);
        o_prot.write_message_begin(&message_ident)?;
        let ret = SupervisorGateWorkerReportsResult { result_value: Some(handler_return), e: None };
        ret.write_to_out_protocol(o_prot)?;
        o_prot.write_message_end()?;
        o_prot.flush()
      },
      Err(e) => {
        match e {
          thrift::Error::User(usr_err) => {
            if usr_err.downcast_ref::<storm::NotAliveException>().is_some() {
              let err = usr_err.downcast::<storm::NotAliveException>().expect("downcast already checked");
              let ret_err = SupervisorGateWorkerReportsResult{ result_value: None, e: Some(*err) };
              let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Reply, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              ret_err.write_to_out_protocol(o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            } else {
              let ret_err = {
                ApplicationError::new(
                  ApplicationErrorKind::Unknown,
                  usr_err.to_string()
                )
              };
              let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Exception, incoming_sequence_number);
              o_prot.write_message_begin(&message_ident)?;
              thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
              o_prot.write_message_end()?;
              o_prot.flush()
            }
          },
          thrift::Error::Application(app_err) => {
            let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&app_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
          _ => {
            let ret_err = {
              ApplicationError::new(
                ApplicationErrorKind::Unknown,
                e.to_string()
              )
            };
            let message_ident = TMessageIdentifier::new("workerReports", TMessageType::Exception, incoming_sequence_number);
            o_prot.write_message_begin(&message_ident)?;
            thrift::Error::write_application_error_to_out_protocol(&ret_err, o_prot)?;
            o_prot.write_message_end()?;
            o_prot.flush()
          },
        }
      },
    }
  }
}

impl <H: SupervisorGateSyncHandler> TProcessor for SupervisorGateSyncProcessor<H> {
  fn process(&self, i_prot: &mut dyn TInputProtocol, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let message_ident = i_prot.read_message_begin()?;
    let res = match &*message_ident.name {
      "reportWorkers" => {
        self.process_report_workers(message_ident.sequence_number, i_prot, o_prot)
      },
      "workerReports" => {
        self.process_worker_reports(message_ident.sequence_number, i_prot, o_prot)
      },
      method => {
        Err(
          thrift::Error::Application(
            ApplicationError::new(
              ApplicationErrorKind::UnknownMethod,
              format!("unknown method {}", method)
            )
          )
        )
      },
    };
    crate::wire::finish_call(&message_ident, res, o_prot)
  }
}

//
// SupervisorGateReportWorkersArgs
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct SupervisorGateReportWorkersArgs {
  supervisor_id: String,
  reports: Vec<WorkerReport>,
}

impl SupervisorGateReportWorkersArgs {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<SupervisorGateReportWorkersArgs> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    let mut f_2: Option<Vec<WorkerReport>> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        2 => {
          let list_ident = i_prot.read_list_begin()?;
          let mut val: Vec<WorkerReport> = Vec::with_capacity(thrift::protocol::prealloc_size(list_ident.size));
          for _ in 0..list_ident.size {
            let list_elem_6 = WorkerReport::read_from_in_protocol(i_prot)?;
            val.push(list_elem_6);
          }
          i_prot.read_list_end()?;
          f_2 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("SupervisorGateReportWorkersArgs.supervisor_id", &f_1)?;
    verify_required_field_exists("SupervisorGateReportWorkersArgs.reports", &f_2)?;
    let ret = SupervisorGateReportWorkersArgs {
      supervisor_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
      reports: f_2.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("reportWorkers_args");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("supervisor_id", TType::String, 1))?;
    o_prot.write_string(&self.supervisor_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_begin(&TFieldIdentifier::new("reports", TType::List, 2))?;
    o_prot.write_list_begin(&TListIdentifier::new(TType::Struct, self.reports.len() as i32))?;
    for e in &self.reports {
      e.write_to_out_protocol(o_prot)?;
    }
    o_prot.write_list_end()?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// SupervisorGateReportWorkersResult
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct SupervisorGateReportWorkersResult {
}

impl SupervisorGateReportWorkersResult {
  fn ok_or(self) -> thrift::Result<()> {
    Ok(())
  }
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<SupervisorGateReportWorkersResult> {
    i_prot.read_struct_begin()?;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    let ret = SupervisorGateReportWorkersResult {};
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("SupervisorGateReportWorkersResult");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// SupervisorGateWorkerReportsArgs
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct SupervisorGateWorkerReportsArgs {
  topology_id: String,
}

impl SupervisorGateWorkerReportsArgs {
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<SupervisorGateWorkerReportsArgs> {
    i_prot.read_struct_begin()?;
    let mut f_1: Option<String> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        1 => {
          let val = i_prot.read_string()?;
          f_1 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    verify_required_field_exists("SupervisorGateWorkerReportsArgs.topology_id", &f_1)?;
    let ret = SupervisorGateWorkerReportsArgs {
      topology_id: f_1.expect("auto-generated code should have checked for presence of required fields"),
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("workerReports_args");
    o_prot.write_struct_begin(&struct_ident)?;
    o_prot.write_field_begin(&TFieldIdentifier::new("topology_id", TType::String, 1))?;
    o_prot.write_string(&self.topology_id)?;
    o_prot.write_field_end()?;
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

//
// SupervisorGateWorkerReportsResult
//

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct SupervisorGateWorkerReportsResult {
  result_value: Option<Vec<WorkerReport>>,
  e: Option<storm::NotAliveException>,
}

impl SupervisorGateWorkerReportsResult {
  fn ok_or(self) -> thrift::Result<Vec<WorkerReport>> {
    if self.e.is_some() {
      Err(thrift::Error::User(Box::new(self.e.unwrap())))
    } else if self.result_value.is_some() {
      Ok(self.result_value.unwrap())
    } else {
      Err(
        thrift::Error::Application(
          ApplicationError::new(
            ApplicationErrorKind::MissingResult,
            "no result received for SupervisorGateWorkerReports"
          )
        )
      )
    }
  }
  fn read_from_in_protocol(i_prot: &mut dyn TInputProtocol) -> thrift::Result<SupervisorGateWorkerReportsResult> {
    i_prot.read_struct_begin()?;
    let mut f_0: Option<Vec<WorkerReport>> = None;
    let mut f_1: Option<storm::NotAliveException> = None;
    loop {
      let field_ident = i_prot.read_field_begin()?;
      if field_ident.field_type == TType::Stop {
        break;
      }
      let field_id = field_id(&field_ident)?;
      match field_id {
        0 => {
          let list_ident = i_prot.read_list_begin()?;
          let mut val: Vec<WorkerReport> = Vec::with_capacity(thrift::protocol::prealloc_size(list_ident.size));
          for _ in 0..list_ident.size {
            let list_elem_7 = WorkerReport::read_from_in_protocol(i_prot)?;
            val.push(list_elem_7);
          }
          i_prot.read_list_end()?;
          f_0 = Some(val);
        },
        1 => {
          let val = storm::NotAliveException::read_from_in_protocol(i_prot)?;
          f_1 = Some(val);
        },
        _ => {
          i_prot.skip(field_ident.field_type)?;
        },
      };
      i_prot.read_field_end()?;
    }
    i_prot.read_struct_end()?;
    let ret = SupervisorGateWorkerReportsResult {
      result_value: f_0,
      e: f_1,
    };
    Ok(ret)
  }
  fn write_to_out_protocol(&self, o_prot: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    let struct_ident = TStructIdentifier::new("SupervisorGateWorkerReportsResult");
    o_prot.write_struct_begin(&struct_ident)?;
    if let Some(ref fld_var) = self.result_value {
      o_prot.write_field_begin(&TFieldIdentifier::new("result_value", TType::List, 0))?;
      o_prot.write_list_begin(&TListIdentifier::new(TType::Struct, fld_var.len() as i32))?;
      for e in fld_var {
        e.write_to_out_protocol(o_prot)?;
      }
      o_prot.write_list_end()?;
      o_prot.write_field_end()?
    }
    if let Some(ref fld_var) = self.e {
      o_prot.write_field_begin(&TFieldIdentifier::new("e", TType::Struct, 1))?;
      fld_var.write_to_out_protocol(o_prot)?;
      o_prot.write_field_end()?
    }
    o_prot.write_field_stop()?;
    o_prot.write_struct_end()
  }
}

/// Every type of this IDL.
pub static TYPES: &[crate::catalogue::Type] = &[
  crate::catalogue::type_entry!(Struct, ReportedError),
  crate::catalogue::type_entry!(Struct, LatencyHistogram),
  crate::catalogue::type_entry!(Struct, WorkerReport),
  crate::catalogue::type_entry!(Struct, WorkerOrders),
];

/// Every method of this IDL's services.
pub static METHODS: &[crate::catalogue::Method] = &[
  crate::catalogue::method_entry!("WorkerGate", "report", WorkerGateReportArgs, WorkerGateReportResult),
  crate::catalogue::method_entry!("WorkerGate", "orders", WorkerGateOrdersArgs, WorkerGateOrdersResult),
  crate::catalogue::method_entry!("SupervisorGate", "reportWorkers", SupervisorGateReportWorkersArgs, SupervisorGateReportWorkersResult),
  crate::catalogue::method_entry!("SupervisorGate", "workerReports", SupervisorGateWorkerReportsArgs, SupervisorGateWorkerReportsResult),
];
