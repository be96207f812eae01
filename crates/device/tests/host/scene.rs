//! A host of files in a temporary folder, and a model that is fed by it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use usphere_datamodel::model::{Gather, Setting, Sight, Snapshot};
use usphere_datamodel::{
    Access, Fault, Model, ModelInput, ModelOutput, Moment, Schema, SchemaView, Transaction,
};
use usphere_device::{DeviceConfig, Host, HostPaths};
use usphere_runtime::Owner;

/// What a plan of the tests answers.
pub(crate) type Answer = Result<Vec<String>, Fault>;

/// A host with a model of it.
pub(crate) struct Scene {
    pub(crate) host: Host,
    model: Model<Answer>,
    now: Moment,
    /// What the model complained about.
    pub(crate) troubles: Vec<String>,
}

impl Scene {
    pub(crate) fn new(paths: HostPaths) -> Self {
        Self::configured(DeviceConfig::default(), paths)
    }

    pub(crate) fn configured(config: DeviceConfig, paths: HostPaths) -> Self {
        let view = SchemaView::new(Schema::build(&usphere_device::objects()).unwrap());
        let (model, problems) = Model::new(view, Vec::new());
        assert_eq!(problems, []);
        Self {
            host: Host::new(config, paths).unwrap(),
            model,
            now: Moment::ORIGIN,
            troubles: Vec::new(),
        }
    }

    /// `Path=value` of everything at or below `path`, as fresh as it can be.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let path = path.to_owned();
        self.run(move |transaction| {
            let mut found = Lines::default();
            for target in transaction.resolve_text(&path, Sight::Everything)?.targets {
                transaction.visit(target.object, 0, &Access::unrestricted(), &mut found)?;
            }
            Ok(found.lines)
        })
    }

    /// Adds a row with these values; its path.
    pub(crate) fn add(
        &mut self,
        table: &'static str,
        values: &'static [(&'static str, &'static str)],
    ) -> Answer {
        self.run(move |transaction| {
            let target = transaction.resolve_text(table, Sight::Everything)?.targets[0];
            let before = transaction.savepoint();
            let row = transaction.add(target.object, target.node)?;
            for (name, value) in values {
                let parameter = transaction.parameter(row, name).unwrap();
                if let Err(fault) = transaction.set(row, parameter, value, Setting::Initial) {
                    transaction.rollback(before);
                    return Err(fault);
                }
            }
            if let Err(fault) = transaction.finish_row(row) {
                transaction.rollback(before);
                return Err(fault);
            }
            Ok(vec![transaction.path(row).to_owned()])
        })
    }

    /// Deletes the rows at `path`.
    pub(crate) fn delete(&mut self, path: &'static str) -> Answer {
        self.run(move |transaction| {
            for target in transaction.resolve_text(path, Sight::Everything)?.targets {
                transaction.delete(target.object)?;
            }
            Ok(Vec::new())
        })
    }

    pub(crate) fn set(&mut self, path: &'static str, value: &'static str) -> Answer {
        self.run(move |transaction| {
            for target in transaction.resolve_text(path, Sight::Everything)?.targets {
                transaction.set(target.object, target.node, value, Setting::Update)?;
            }
            Ok(Vec::new())
        })
    }

    fn run(&mut self, work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static) -> Answer {
        self.now = self.now + core::time::Duration::from_secs(3600);
        self.model.submit(Box::new(work), self.now);
        let mut answered = None;
        while let Some(output) = self.model.poll() {
            let input = match output {
                ModelOutput::Apply {
                    ticket,
                    phase,
                    changes,
                    ..
                } => {
                    let results = self.host.apply(phase, &changes);
                    ModelInput::Applied { ticket, results }
                }
                ModelOutput::Changed { .. } | ModelOutput::Unfetched { .. } => continue,
                ModelOutput::Commit { sequence, .. } => ModelInput::Committed { sequence },
                ModelOutput::Done { answer, .. } => {
                    answered = Some(answer);
                    continue;
                }
                ModelOutput::Fetch { ticket, unit, .. } => {
                    let result = self.host.fetch(&unit);
                    ModelInput::Fetched { ticket, result }
                }
                ModelOutput::Operate {
                    ticket,
                    command,
                    arguments,
                    ..
                } => {
                    let result = self.host.operate(&command, &arguments);
                    ModelInput::Operated { ticket, result }
                }
                ModelOutput::Trouble { owner, text } => {
                    self.troubles.push(format!("{owner}: {text}"));
                    continue;
                }
            };
            self.model.handle(input, self.now);
        }
        answered.expect("the plan waits for somebody")
    }
}

/// The names of all units that the host is asked for.
pub(crate) fn units() -> Vec<&'static str> {
    let mut units = Vec::new();
    for object in usphere_device::objects() {
        let of_parameters = object
            .parameters
            .iter()
            .filter_map(|parameter| parameter.unit);
        units.extend(
            object
                .unit
                .into_iter()
                .chain(of_parameters)
                .map(|unit| unit.name),
        );
    }
    units.sort_unstable();
    units.dedup();
    units
}

/// The values of the first object of a snapshot.
pub(crate) fn value<'a>(snapshot: &'a Snapshot, name: &str) -> &'a str {
    let values = &snapshot.objects[0].values;
    &values.iter().find(|(known, _)| known == name).unwrap().1
}

/// A host made of files.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A small home router.
    pub(crate) fn router() -> Self {
        let files = Self::empty();
        for (path, content) in ROUTER {
            files.write(path, content);
        }
        files
    }

    pub(crate) fn paths(&self) -> HostPaths {
        let at = |name| self.0.path().join(name);
        HostPaths {
            proc: at("proc"),
            sys: at("sys"),
            etc: at("etc"),
            run: at("run"),
            var: at("var"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    pub(crate) fn process(&self, pid: u32, command: &str, start: u64) {
        let stat = format!(
            "{pid} ({command}) S 1 {pid} {pid} 0 -1 4194304 101 0 0 0 250 50 0 0 20 0 1 0 {start} 3133440 416 \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        self.write(&format!("proc/{pid}/stat"), stat);
    }
}

/// Every file that is read, processes apart.
pub(crate) const ROUTER: [(&str, &str); 32] = [
    (
        "proc/meminfo",
        "MemTotal:         252164 kB\nMemFree:           96000 kB\nMemAvailable:     131072 kB\n",
    ),
    (
        "proc/stat",
        "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 100 0 100 700 100 0 0 0 0 0\n",
    ),
    ("proc/uptime", "3881.57 6539.14\n"),
    ("proc/sys/kernel/hostname", "myhgw\n"),
    ("proc/sys/kernel/osrelease", "6.6.30\n"),
    ("sys/class/dmi/id/sys_vendor", "Default string\n"),
    ("sys/class/dmi/id/product_name", "To Be Filled By O.E.M.\n"),
    ("sys/class/dmi/id/product_sku", "\n"),
    ("sys/class/dmi/id/product_serial", "None\n"),
    ("sys/class/dmi/id/product_version", "1.2\n"),
    ("sys/class/dmi/id/bios_version", "2024.01\n"),
    (
        "sys/firmware/devicetree/base/compatible",
        "acme,hgw-7\0vendor,soc\0",
    ),
    (
        "sys/firmware/devicetree/base/model",
        "Acme Home Gateway 7\0",
    ),
    ("sys/firmware/devicetree/base/serial-number", "A7-000123\0"),
    ("sys/class/net/br0/address", "02:00:5e:00:53:99\n"),
    ("sys/class/net/eth1/address", "00:00:5e:00:53:02\n"),
    ("sys/class/net/eth1/device/vendor", "0x1\n"),
    ("sys/class/net/eth0/address", "00:00:5e:00:53:01\n"),
    ("sys/class/net/eth0/addr_assign_type", "0\n"),
    ("sys/class/net/eth0/device/vendor", "0x1\n"),
    (
        "etc/os-release",
        "NAME=\"AcmeOS\"\nPRETTY_NAME=\"AcmeOS 23.05\"\nVERSION_ID=\"23.05.3\"\n",
    ),
    ("etc/TZ", "CET-1CEST,M3.5.0,M10.5.0/3\n"),
    ("etc/hostname", "myhgw\n"),
    ("run/systemd/timesync/synchronized", ""),
    (
        "etc/passwd",
        "root:$6$x$y:0:0:root:/root:/bin/ash\n# nobody\n",
    ),
    ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
    (
        "proc/sys/net/ipv4/tcp_available_congestion_control",
        "reno cubic\n",
    ),
    (
        "etc/resolv.conf",
        "search home.arpa\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n",
    ),
    (
        "etc/systemd/timesyncd.conf",
        "[Time]\nNTP=0.pool.example 1.pool.example\n",
    ),
    ("sys/class/net/eth0/ifindex", "2\n"),
    (
        "run/systemd/netif/leases/2",
        "ADDRESS=192.0.2.10\nNETMASK=255.255.255.0\nROUTER=192.0.2.1\nSERVER_ADDRESS=192.0.2.1\n\
         LIFETIME=4294967295\nDNS=192.0.2.53\n",
    ),
    (
        "var/lib/dhcp/dhclient6.leases",
        "lease6 {\n interface \"eth1\";\n ia-pd 1 {\n iaprefix 2001:db8::/56 {\n starts 5; max-life 4294967295;\n }\n }\n\
         option dhcp6.client-id 0:3:0:1;\n}\n",
    ),
];

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    object: String,
}

impl Gather for Lines {
    fn object(&mut self, path: &str) {
        path.clone_into(&mut self.object);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{}{name}={value}", self.object));
    }
}
