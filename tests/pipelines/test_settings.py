"""The configuration as the real command sees it."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import luigi
import luigi.retcodes
import luigi.scheduler
import luigi.worker
import pytest

from pipelines import configuration, settings
from tests.ports import free_port
from tests.site import DATE, REPOSITORY, Site

CONFIG = REPOSITORY / "config" / "luigi.cfg"


def keys_of_the_file() -> dict[str, set[str]]:
    config = configparser.ConfigParser(interpolation=None)
    config.read(CONFIG)
    return {name: set(config[name]) for name in config.sections()}


def test_every_key_of_the_file_is_a_declared_parameter_and_the_other_way_round() -> None:
    declared = {
        kind.get_task_family(): {name for name, _ in kind.get_params()}
        for kind in settings.Section.__subclasses__()
    }
    ours = {name: keys for name, keys in keys_of_the_file().items() if name in declared}
    assert ours == declared


def test_every_other_section_and_key_is_luigis() -> None:
    known = {"core": {*configuration.READ_ELSEWHERE, "autoload_range"}}
    for section, _, key, _ in luigi.task_register.Register.get_all_params():
        known.setdefault(section, set()).add(key)
    ours = {kind.get_task_family() for kind in settings.Section.__subclasses__()}
    for section, keys in keys_of_the_file().items():
        assert section in ours or keys <= known[section], section


def test_every_key_is_described() -> None:
    for kind in settings.Section.__subclasses__():
        for name, parameter in kind.get_params():
            assert parameter.description, f"[{kind.get_task_family()}] {name}"


def test_all_problems_of_all_sections_come_at_once(site: Site) -> None:
    site.configure("warehouse", engine="oracle", threads="two", memory_limit="lots")
    site.configure("retry", attempts="0")
    site.configure("mnaas", time_zone="Mars/Olympus", enviroment="prod")
    site.configure("customer_agr", max_drops="1")
    site.configure("customer_aggr", output_file="/one.txt")
    output = site.night().expect(35).output
    for problem in (
        "[warehouse] engine = 'oracle'",
        "[warehouse] threads = 'two'",
        "[retry] attempts = 0",
        "[mnaas] enviroment is not a key; did you mean environment?",
        "[customer_agr] is not a section; did you mean customer_aggr?",
        "[customer_aggr] output_file = '/one.txt' lacks {run_key}",
    ):
        assert problem in output
    assert "Traceback" not in output
    assert site.markers() == {}


def test_a_section_that_looks_at_another_stands_a_wrong_value_there(site: Site) -> None:
    site.configure("files", store="tape")
    site.configure("mnaas", environment="production")
    site.configure("edge_node", transport="sftp")
    output = site.night().expect(35).output
    assert "[files] store = 'tape'" in output
    assert "[mnaas] environment = 'production'" in output
    assert "Traceback" not in output


def test_hdfs_needs_the_addresses_of_its_namenodes(site: Site) -> None:
    site.configure("state", markers="hdfs")
    assert "[namenode] urls is empty, and [files] store or" in site.night().expect(35).output
    site.configure("namenode", urls='["namenode-1:9870"]', root="mnaas", user="")
    output = site.night().expect(35).output
    for problem in (
        "[namenode] urls: 'namenode-1:9870' is not an address like http://namenode-1:9870",
        "[namenode] user is empty",
        "[namenode] root = 'mnaas' must be a folder like /mnaas",
    ):
        assert problem in output


def test_a_missing_environment_variable_is_named(site: Site) -> None:
    site.configure("files", root="${NOWHERE_SET}")
    assert "NOWHERE_SET" in site.night().expect(35).output


def test_an_environment_variable_gives_a_value(site: Site) -> None:
    site.configure("state", root="${SITE_STATE}")
    environment = {**site.environment(), "SITE_STATE": str(site.root / "elsewhere")}
    site.run(*site.night_command(), env=environment).expect(0)
    assert (site.root / "elsewhere/markers").is_dir()


def test_a_configuration_path_that_does_not_exist_is_refused(site: Site) -> None:
    environment = {**site.environment(), "LUIGI_CONFIG_PATH": "/nowhere/luigi.cfg"}
    output = site.run(*site.night_command(), env=environment).expect(35).output
    assert "LUIGI_CONFIG_PATH names /nowhere/luigi.cfg, which is not a file" in output


def test_the_users_own_file_goes_before_ours_and_ours_fills_in(site: Site, tmp_path: Path) -> None:
    mine = tmp_path / "mine.cfg"
    mine.write_text(
        f"[state]\nroot = {tmp_path}/state\n[files]\nroot = {site.root}/var/files\n"
        f"[warehouse]\nroot = {site.root}/var/warehouse\n"
        f"[customer_aggr]\npartition_list = {site.list_file}\n[retcode]\nmissing_data = 77\n"
    )
    environment = {**site.environment(), "LUIGI_CONFIG_PATH": str(mine)}
    output = site.run(*site.night_command(), env=environment, cwd=tmp_path).expect(0).output
    assert f"configuration  {mine}" in output
    assert (tmp_path / "state/markers").is_dir()
    site.list_file.unlink()
    command = site.night_command("2021-04-29")
    site.run(*command, env=environment, cwd=tmp_path).expect(77)


def test_a_luigi_cfg_in_the_working_directory_goes_first_too(site: Site, tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_text(f"[state]\nroot = {tmp_path}/mine\n")
    site.run(*site.night_command(), cwd=tmp_path).expect(0)
    assert not (tmp_path / "mine").exists()  # LUIGI_CONFIG_PATH goes before it
    environment = {"PATH": os.environ["PATH"]}
    (tmp_path / "config").mkdir()
    (tmp_path / "config/luigi.cfg").write_text(site.config_file.read_text())
    output = site.run(*site.night_command(), cwd=tmp_path, env=environment).expect(20).output
    first = f"configuration  {tmp_path}/luigi.cfg, {tmp_path}/config/luigi.cfg"
    assert first in output
    assert (tmp_path / "mine").exists()


def test_relative_paths_count_from_the_parent_of_the_config_folder(
    site: Site, tmp_path: Path
) -> None:
    site.run(*site.night_command(), cwd=tmp_path).expect(0)
    assert (site.root / "var/state/markers").is_dir()
    assert not (tmp_path / "var").exists()


def test_a_file_outside_of_a_config_folder_does_not_move_them(site: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    mine = tmp_path / "elsewhere/site.cfg"
    mine.write_text("[customer_aggr]\nmax_drops = 3\n")
    environment = {**site.environment(), "LUIGI_CONFIG_PATH": str(mine)}
    output = site.run(*site.night_command(), env=environment).expect(0).output
    assert f"configuration  {mine}, {site.config_file}" in output
    assert (site.root / "var/state/markers").is_dir()


def test_the_first_lines_say_what_is_used(site: Site) -> None:
    lines = [
        line.removeprefix("INFO: ")
        for line in site.night().expect(0).output.splitlines()
        if line.startswith("INFO: ")
    ]
    assert lines[0] == f"configuration  {site.config_file}"
    assert lines[1] == "engine         duckdb, database mnaas"
    assert lines[2] == f"business date  {DATE} (CustomerAggr {DATE})"
    assert lines[3].startswith("run id         2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--date", "2021-13-01"), "--date '2021-13-01' is not a date (YYYY-MM-DD)"),
        (("--date", DATE, "--month", "April"), "--month 'April' is not a month (YYYY-MM)"),
    ],
)
def test_a_mistyped_parameter_is_one_line(
    site: Site, arguments: tuple[str, ...], message: str
) -> None:
    command = ["luigi", "--module", "pipelines", "CustomerAggr", "--local-scheduler"]
    output = site.run(*command, *arguments).expect(1).output
    assert message in output
    assert "Traceback" not in output


def test_a_forgotten_date_is_one_line(site: Site) -> None:
    command = ["luigi", "--module", "pipelines", "CustomerAggr", "--local-scheduler"]
    output = site.run(*command).expect(40).output
    assert "requires the 'date' parameter to be set" in output
    assert "Traceback" not in output


def test_help_explains_the_parameters(site: Site) -> None:
    output = site.run("luigi", "--module", "pipelines", "CustomerAggr", "--help").expect(0).output
    assert "the business date, YYYY-MM-DD" in output
    assert "rebuild every day of that month" in " ".join(output.split())


def test_a_dead_luigid_is_reported_within_seconds(site: Site) -> None:
    site.configure("core", scheduler_host="127.0.0.1", scheduler_port=9, rpc_retry_wait=1)
    site.night(local=False).expect(40)


def test_the_configuration_of_a_cluster_lacks_only_the_sites_own_files(site: Site) -> None:
    cluster = str(REPOSITORY / "config/cluster.cfg")
    environment = {**site.environment(), "LUIGI_CONFIG_PATH": cluster}
    output = site.run("mnaas", "check", env=environment).expect(1).output
    problems = [line for line in output.splitlines() if line.startswith("PROBLEM")]
    assert len(problems) == 2
    assert "key_file" in problems[0]
    assert "known_hosts" in problems[1]


def test_the_servers_of_an_engine_are_checked(site: Site) -> None:
    site.configure("warehouse", engine="hive+impala")
    site.configure("hiveserver2", hosts="[]", auth="LDAP", user="mnaas")
    site.configure("impalad", hosts='["a:b"]', password="secret word", user="", timeout_seconds=5)
    output = site.night().expect(35).output
    for problem in (
        "[hiveserver2] hosts is empty",
        "[hiveserver2] auth = LDAP needs user, and password or password_file",
        "[impalad] hosts: 'a:b' is not a host, or host:port",
        "[impalad] a password is set, and auth = NOSASL uses none",
        "[impalad] user is empty",
        "[impalad] timeout_seconds = 5 must be 10 or more",
        "[namenode] urls is empty",
    ):
        assert problem in output
    assert "secret word" not in output
    site.configure("warehouse", engine="duckdb")  # nobody asks for them now
    site.night().expect(0)


def test_a_server_that_is_not_there_is_one_clear_error(site: Site) -> None:
    port = free_port()
    site.configure("warehouse", engine="hive")
    site.configure("hiveserver2", hosts='["127.0.0.1"]', port=port, user="mnaas")
    site.configure("namenode", urls='["http://127.0.0.1:1"]')
    site.configure("retry", attempts=1)
    output = site.night().expect(30).output
    assert f"hive does not answer: 127.0.0.1:{port}" in output
    assert "Check [hiveserver2] hosts and auth = NONE" in output
    assert "Traceback" not in output
