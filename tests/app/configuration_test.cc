#include "app/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/config_file.h"
#include "app/config_keys.h"
#include "tests/support/scratch_directory.h"

namespace app {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

/// `herald run` as far as its configuration goes.
class ConfigurationTest : public testing::Test {
 protected:
  /// What is wrong, or "".
  std::string Configure(const std::vector<std::string>& flags, const Variables& variables = {}) {
    options = RunOptions();
    configuration = Configuration();
    CLI::App command;
    configuration.AddFlags(command, options);
    // CLI11 takes the last argument first.
    std::vector<std::string> reversed(flags.rbegin(), flags.rend());
    try {
      command.parse(reversed);
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return configuration.Resolve(command, variables, options).message();
  }

  /// The path of a file that holds this.
  std::string File(const std::string& text, const std::string& name = "herald.yaml") {
    const std::filesystem::path path = scratch.path() / name;
    std::filesystem::create_directories(scratch.path());
    std::ofstream(path) << text;
    return path.string();
  }

  /// What is wrong with a file of this content, without the path before the line.
  std::string WrongIn(const std::string& yaml) {
    const std::string file = File(yaml);
    const std::string wrong = Configure({"--config", file, "--brokers", "b:1"});
    return wrong.starts_with(file) ? wrong.substr(file.size()) : wrong;
  }

  std::string Printed() {
    std::ostringstream out;
    configuration.Print(out, options);
    return out.str();
  }

  support::ScratchDirectory scratch;
  RunOptions options;
  Configuration configuration;
};

TEST_F(ConfigurationTest, FlagsWinOverVariablesOverTheFileOverDefaults) {
  const std::string file = File(
      "brokers: file:1\n"
      "threads: 2\n"
      "memory_mib: 128\n"
      "partitions: 8\n");
  const Variables variables = {{"HERALD_THREADS", "3"}, {"HERALD_MEMORY_MIB", "256"}};
  ASSERT_EQ(Configure({"--config", file, "--threads", "5"}, variables), "");
  EXPECT_EQ(options.threads, 5);
  EXPECT_EQ(options.memory_mib, 256U);
  EXPECT_EQ(options.partitions, 8);
  EXPECT_EQ(options.brokers, "file:1");
  EXPECT_EQ(options.crashes_max, 3);
}

TEST_F(ConfigurationTest, AFlagWinsAlsoWhenItSaysTheDefault) {
  const std::string file = File("brokers: file:1\nthreads: 2\nstay_on_stop: true\n");
  ASSERT_EQ(Configure({"--config", file, "--threads", "1", "--stay-on-stop=false"}), "");
  EXPECT_EQ(options.threads, 1);
  EXPECT_FALSE(options.stay_on_stop);
}

TEST_F(ConfigurationTest, EveryKeyIsReadFromTheFileAndFromTheEnvironment) {
  for (const ConfigKey& key : ConfigKeys()) {
    // Some value that is not the default.
    std::string text = "x";
    RunOptions changed;
    if (!key.choices.empty()) text = key.choices.back();
    else if (key.form == ValueForm::kDuration) text = "12h";
    else if (key.form == ValueForm::kProperties) text = "linger.ms=7";
    else if (std::holds_alternative<bool RunOptions::*>(key.field)) {
      text = FieldTexts(changed, key).front() == "true" ? "false" : "true";
    } else if (!std::holds_alternative<std::string RunOptions::*>(key.field) &&
               !std::holds_alternative<std::vector<std::string> RunOptions::*>(key.field)) {
      text = std::to_string(key.min + 1);
    }
    ASSERT_EQ(SetField(changed, key, {text}), "") << key.yaml;
    ASSERT_NE(FieldTexts(changed, key), FieldTexts(RunOptions(), key)) << key.yaml;

    std::string yaml(key.yaml);
    const size_t dot = yaml.find('.');
    if (dot != std::string::npos) yaml = yaml.substr(0, dot) + ": {" + yaml.substr(dot + 1);
    yaml += ": " + (key.form == ValueForm::kProperties ? "{linger.ms: 7}" : text);
    if (dot != std::string::npos) yaml += "}";
    // Some values need others beside them; what matters here is the field.
    Configure({"--config", File(yaml)});
    EXPECT_EQ(FieldTexts(options, key), FieldTexts(changed, key)) << yaml;
    Configure({}, {{EnvironmentName(key), text}});
    EXPECT_EQ(FieldTexts(options, key), FieldTexts(changed, key)) << EnvironmentName(key);
  }
}

TEST_F(ConfigurationTest, NoTwoKeysShareAName) {
  std::set<std::string> names;
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(names.insert(std::string(key.yaml)).second) << key.yaml;
    EXPECT_TRUE(names.insert(EnvironmentName(key)).second) << key.yaml;
    if (key.flag.empty()) continue;
    EXPECT_TRUE(names.insert(std::string(key.flag)).second) << key.flag;
  }
}

TEST_F(ConfigurationTest, TheFileMayBeNamedByTheEnvironment) {
  const std::string file = File("brokers: file:1\n");
  ASSERT_EQ(Configure({}, {{"HERALD_CONFIG", file}}), "");
  EXPECT_EQ(options.brokers, "file:1");
  const std::string other = File("brokers: other:1\n", "other.yaml");
  ASSERT_EQ(Configure({"--config", other}, {{"HERALD_CONFIG", file}}), "");
  EXPECT_EQ(options.brokers, "other:1");
}

TEST_F(ConfigurationTest, AnEmptyVariableIsAsOneThatIsNotThere) {
  ASSERT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_THREADS", ""}, {"HERALD_CONFIG", ""}}), "");
  EXPECT_EQ(options.threads, 1);
}

TEST_F(ConfigurationTest, ListsAreListsInTheFileAndCommasInTheEnvironment) {
  ASSERT_EQ(Configure({"--config", File("brokers: [a:1, b:2]\n"
                                        "listen:\n"
                                        "  - 127.0.0.1:5001\n"
                                        "  - 127.0.0.1:5002\n")}),
            "");
  EXPECT_EQ(options.brokers, "a:1,b:2");
  EXPECT_THAT(options.listen, ElementsAre("127.0.0.1:5001", "127.0.0.1:5002"));
  ASSERT_EQ(Configure({}, {{"HERALD_BROKERS", "a:1,b:2"}, {"HERALD_LISTEN", "h:1,h:2"}}), "");
  EXPECT_EQ(options.brokers, "a:1,b:2");
  EXPECT_THAT(options.listen, ElementsAre("h:1", "h:2"));
  ASSERT_EQ(Configure({"--config", File("brokers: a:1,b:2\nlisten: h:1\n")}), "");
  EXPECT_EQ(options.brokers, "a:1,b:2");
  EXPECT_THAT(options.listen, ElementsAre("h:1"));
}

TEST_F(ConfigurationTest, PropertiesOfAllSourcesCountOneByOne) {
  const std::string file = File(
      "brokers: b:1\n"
      "properties:\n"
      "  linger.ms: 1\n"
      "  client.rack: file\n"
      "  socket.keepalive.enable: true\n");
  ASSERT_EQ(Configure({"--config", file, "-X", "linger.ms=3"},
                      {{"HERALD_PROPERTIES", "linger.ms=2,client.rack=variable"}}),
            "");
  EXPECT_THAT(options.parsed_properties,
              ElementsAre(Pair("client.rack", "variable"), Pair("linger.ms", "3"),
                          Pair("socket.keepalive.enable", "true")));
  EXPECT_THAT(Configure({"--brokers", "b:1"}, {{"HERALD_PROPERTIES", "linger.ms"}}),
              HasSubstr("HERALD_PROPERTIES: wants name=value"));
}

TEST_F(ConfigurationTest, AnUnknownKeyNamesFileLineAndTheNearestKey) {
  EXPECT_EQ(WrongIn("threads: 2\ncommit_interval: 5\n"),
            ":2: commit_interval: unknown key; did you mean commit_interval_ms?");
  EXPECT_EQ(WrongIn("commit-interval-ms: 5\n"),
            ":1: commit-interval-ms: unknown key; did you mean commit_interval_ms?");
  EXPECT_EQ(WrongIn("# c\n\n--threads: 5\n"), ":3: --threads: unknown key; did you mean threads?");
  EXPECT_EQ(WrongIn("borkers: b\n"), ":1: borkers: unknown key; did you mean brokers?");
  EXPECT_EQ(WrongIn("log_level: info\n"), ":1: log_level: unknown key; did you mean log.level?");
  EXPECT_EQ(WrongIn("log:\n  levle: info\n"),
            ":2: log.levle: unknown key; did you mean log.level?");
  EXPECT_EQ(WrongIn("log:\n  threads: 2\n"), ":2: log.threads: unknown key; did you mean threads?");
  EXPECT_EQ(WrongIn("logs: {level: info}\n"), ":1: logs: unknown key; did you mean log?");
  EXPECT_EQ(WrongIn("log.level: info\n"),
            ":1: log.level: unknown key; write \"log:\" and below it, indented, \"level:\"");
  EXPECT_EQ(WrongIn("database_url: x\n"), ":1: database_url: unknown key");
}

TEST_F(ConfigurationTest, AWrongValueNamesFileLineKeyAndWhatItShouldBe) {
  EXPECT_EQ(WrongIn("topic: n\nthreads: two\n"),
            ":2: threads: wants a whole number from 1 to 64, not \"two\"");
  EXPECT_EQ(WrongIn("threads: 65\n"),
            ":1: threads: wants a whole number from 1 to 64, not \"65\"");
  EXPECT_EQ(WrongIn("threads: 1.5\n"),
            ":1: threads: wants a whole number from 1 to 64, not \"1.5\"");
  EXPECT_EQ(WrongIn("threads: [1]\n"),
            ":1: threads: wants whole number, 1 to 64, not a list");
  EXPECT_EQ(WrongIn("stay_on_stop: maybe\n"),
            ":1: stay_on_stop: wants true or false, not \"maybe\"");
  EXPECT_EQ(WrongIn("guarantee: most_once\n"),
            ":1: guarantee: wants one of exactly_once, at_least_once, not \"most_once\"");
  EXPECT_EQ(WrongIn("inbox_age_max: 3 weeks\n"),
            ":1: inbox_age_max: wants a duration like 90d, 12h, 30m, 45s or 0, not \"3 weeks\"");
  EXPECT_EQ(WrongIn("threads:\n"),
            ":1: threads: has no value; leave the key out for its default");
  EXPECT_EQ(WrongIn("log: info\n"),
            ":1: log: wants keys of its own, as level, not a single value");
  EXPECT_EQ(WrongIn("application_id: {a: b}\n"), ":1: application_id: wants text, not a map");
  EXPECT_EQ(WrongIn("listen: [a, [b]]\n"), ":1: listen: wants texts in its list, not a list");
  EXPECT_THAT(WrongIn("properties: [a]\n"), HasSubstr(":1: properties: wants a map"));
  EXPECT_EQ(WrongIn("properties: {a: [b]}\n"), ":1: properties: wants names with one value each");
  EXPECT_EQ(WrongIn("retries: 0\n"),
            ":1: retries: wants a whole number from 1 to 2147483647, not \"0\"");
}

TEST_F(ConfigurationTest, AWrongValueIsRefusedAlsoWhereAFlagCounts) {
  const std::string file = File("threads: two\n");
  EXPECT_THAT(Configure({"--config", file, "--brokers", "b:1", "--threads", "3"}),
              HasSubstr(":1: threads: wants"));
}

TEST_F(ConfigurationTest, WhatIsNoConfigurationIsRefused) {
  EXPECT_THAT(WrongIn("threads: 2\n  topic: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(WrongIn("\tthreads: 2\n"), HasSubstr("not YAML"));
  EXPECT_THAT(WrongIn("- threads\n"), AllOf(HasSubstr(":1: "), EndsWith("not a list")));
  EXPECT_THAT(WrongIn("threads\n"), EndsWith("not a single value"));
  EXPECT_EQ(WrongIn("threads: 2\n---\nthreads: 3\n"), ":3: more than one document");
  EXPECT_EQ(WrongIn("threads: 2\ntopic: n\nthreads: 3\n"),
            ":3: threads is there twice, first in line 1");
  EXPECT_EQ(WrongIn("properties: {a: 1, a: 2}\n"),
            ":1: properties: a is there twice, first in line 1");
  EXPECT_THAT(WrongIn("? [a]\n: b\n"), HasSubstr("a key wants to be a word, not a list"));
  EXPECT_EQ(WrongIn(""), "");
  EXPECT_EQ(WrongIn("# nothing\n"), "");
  EXPECT_THAT(WrongIn("# " + std::string(1 << 20, 'x')), HasSubstr("larger than 1048576 bytes"));
  EXPECT_THAT(Configure({"--config", "/nowhere/herald.yaml"}),
              AllOf(HasSubstr("/nowhere/herald.yaml: cannot be read"), HasSubstr("No such file")));
  EXPECT_THAT(Configure({"--config", "/"}), HasSubstr("is a directory"));
}

TEST_F(ConfigurationTest, AWrongVariableIsNamed) {
  EXPECT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_THREADS", "two"}}),
            "HERALD_THREADS: wants a whole number from 1 to 64, not \"two\"");
  EXPECT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_LOG_LEVEL", "loud"}}),
            "HERALD_LOG_LEVEL: wants one of trace, debug, info, warn, error, not \"loud\"");
}

TEST_F(ConfigurationTest, WhatDoesNotGoTogetherIsCalledByWhereItStands) {
  const std::string file = File("brokers: b:1\nadvertise: here\nmax_poll_interval_ms: 5000\n");
  EXPECT_EQ(Configure({"--config", file}), file + ":2: advertise wants ADDR:PORT, not \"here\"");
  EXPECT_EQ(Configure({"--config", file, "--advertise", "h:1"}),
            file + ":3: max_poll_interval_ms must not be below --session-timeout-ms (10000)");
  EXPECT_EQ(Configure({"--config", file, "--embedded"}),
            "--embedded and " + file + ":1: brokers: give one of them");
  EXPECT_THAT(Configure({}), HasSubstr("give either --brokers"));
  EXPECT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_TOPIC", "events"}}),
            "HERALD_TOPIC is where notifications are written; \"events\" is another topic of "
            "Herald's");
}

TEST_F(ConfigurationTest, AVariableThatLooksLikeASlipIsWorthAWord) {
  // A Kubernetes service called herald, and this repository's own tests.
  ASSERT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_SERVICE_HOST", "10.0.0.1"},
                                             {"HERALD_SERVICE_PORT", "80"},
                                             {"HERALD_PORT", "tcp://10.0.0.1:80"},
                                             {"HERALD_PORT_80_TCP", "tcp://10.0.0.1:80"},
                                             {"HERALD_PORT_80_TCP_ADDR", "10.0.0.1"},
                                             {"HERALD_SERVER", "h:1"},
                                             {"HERALD_BINARY", "x"},
                                             {"HERALD_GENERATOR", "x"},
                                             {"HERALD_KAFKA_LIBS", "x"},
                                             {"HERALD_CRASHING_WORDS", "x"},
                                             {"HERALD_ROOT", "x"}}),
            "");
  EXPECT_THAT(options.warnings, IsEmpty());
  ASSERT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_THREAD", "2"}, {"HERALD_BORKERS", "c:1"}}),
            "");
  EXPECT_THAT(options.warnings,
              ElementsAre("the environment variable HERALD_BORKERS means nothing to Herald; is "
                          "HERALD_BROKERS meant?",
                          "the environment variable HERALD_THREAD means nothing to Herald; is "
                          "HERALD_THREADS meant?"));
}

TEST_F(ConfigurationTest, TheKeysOfTheOldSystemAreUnderstood) {
  const std::string file = File(
      "brokers: [localhost:9092]\n"
      "username: herald\n"
      "password: s3cret\n"
      "topic: notes\n"
      "retries: 5\n"
      "producer_return_successes: true\n"
      "log: {level: debug}\n");
  ASSERT_EQ(Configure({"--config", file}), "");
  EXPECT_EQ(options.brokers, "localhost:9092");
  EXPECT_THAT(options.parsed_properties,
              ElementsAre(Pair("sasl.mechanism", "PLAIN"), Pair("sasl.password", "s3cret"),
                          Pair("sasl.username", "herald"),
                          Pair("security.protocol", "sasl_plaintext")));
  EXPECT_EQ(options.topic, "notes");
  EXPECT_EQ(options.retries, 5);
  EXPECT_EQ(options.parsed_log_level, base::LogLevel::kDebug);
  EXPECT_THAT(options.warnings, ElementsAre(HasSubstr("unencrypted")));
  EXPECT_THAT(options.warnings, Not(ElementsAre(HasSubstr("s3cret"))));
}

TEST_F(ConfigurationTest, ReturnSuccessesFalseHasNoEffectAndSaysSo) {
  ASSERT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_PRODUCER_RETURN_SUCCESSES", "false"}}), "");
  EXPECT_THAT(options.warnings, ElementsAre(HasSubstr("producer_return_successes: false")));
}

TEST_F(ConfigurationTest, TheLoginTakesWhatThePropertiesSay) {
  ASSERT_EQ(Configure({"--brokers", "b:1", "--username", "u", "-X", "security.protocol=SASL_SSL",
                       "-X", "sasl.mechanisms=SCRAM-SHA-512"},
                      {{"HERALD_PASSWORD", "p"}}),
            "");
  EXPECT_THAT(options.parsed_properties,
              ElementsAre(Pair("sasl.mechanisms", "SCRAM-SHA-512"), Pair("sasl.password", "p"),
                          Pair("sasl.username", "u"), Pair("security.protocol", "SASL_SSL")));
  EXPECT_THAT(options.warnings, IsEmpty());
}

TEST_F(ConfigurationTest, APasswordMayStandInAFileOfItsOwn) {
  const std::string secret = File("pa ss=#word\r\nand more\n", "secret");
  ASSERT_EQ(Configure({"--brokers", "b:1", "--username", "u", "--password-file", secret}), "");
  EXPECT_EQ(options.parsed_properties.at("sasl.password"), "pa ss=#word");
}

TEST_F(ConfigurationTest, HalfALoginIsRefused) {
  const auto wrong = [&](std::vector<std::string> flags, const Variables& variables = {}) {
    flags.insert(flags.end(), {"--brokers", "b:1"});
    return Configure(flags, variables);
  };
  EXPECT_THAT(wrong({"--username", "u"}), HasSubstr("--username: there is no password"));
  EXPECT_THAT(wrong({}, {{"HERALD_PASSWORD", "p"}}), HasSubstr("no user name"));
  EXPECT_THAT(wrong({"--username", "u", "--password-file", "/nowhere"}),
              HasSubstr("--password-file: /nowhere cannot be read"));
  EXPECT_THAT(wrong({"--username", "u", "--password-file", File("", "empty")}),
              HasSubstr("is empty"));
  EXPECT_THAT(wrong({"--username", "u", "--password-file", File("p", "secret")},
                    {{"HERALD_PASSWORD", "p"}}),
              HasSubstr("give one of them"));
  EXPECT_THAT(wrong({"--username", "u", "-X", "security.protocol=ssl"}, {{"HERALD_PASSWORD", "p"}}),
              HasSubstr("security.protocol ssl knows no login"));
  EXPECT_THAT(wrong({"--username", "u", "-X", "sasl.password=q"}, {{"HERALD_PASSWORD", "p"}}),
              HasSubstr("sasl.username or sasl.password, too"));
  EXPECT_THAT(Configure({"--embedded", "--username", "u"}, {{"HERALD_PASSWORD", "p"}}),
              HasSubstr("the embedded broker knows no users"));
}

TEST_F(ConfigurationTest, APasswordIsNoFlagAndInNoMessage) {
  EXPECT_THAT(Configure({"--brokers", "b:1", "--password", "x"}), HasSubstr("--password"));
  EXPECT_THAT(WrongIn("password: [s3cret]\n"),
              AllOf(HasSubstr(":1: password: wants text"), Not(HasSubstr("s3cret"))));
}

TEST_F(ConfigurationTest, RolesAreRead) {
  ASSERT_EQ(Configure({"--brokers", "b:1"}), "");
  EXPECT_EQ(options.parsed_role, Role::kAll);
  EXPECT_EQ(options.state_dir, "herald-state");
  ASSERT_EQ(Configure({"--brokers", "b:1", "--role", "ingest"}), "");
  EXPECT_EQ(options.parsed_role, Role::kIngest);
  EXPECT_EQ(options.state_dir, "") << "a temporary one";
  ASSERT_EQ(Configure({"--brokers", "b:1"}, {{"HERALD_ROLE", "process"}}), "");
  EXPECT_EQ(options.parsed_role, Role::kProcess);
  EXPECT_THAT(Configure({"--embedded", "--role", "ingest"}), HasSubstr("leave --role out"));
  EXPECT_THAT(Configure({"--brokers", "b:1", "--role", "both"}), HasSubstr("--role"));
}

TEST_F(ConfigurationTest, PrintShowsEachValueAndWhereItComesFrom) {
  const std::string file = File(
      "brokers: [a:1, b:2]\nusername: u\nproperties: {client.rack: r, ssl.key.password: s3cret}\n");
  ASSERT_EQ(Configure({"--config", file, "--threads", "2", "-X", "sasl.mechanism=PLAIN"},
                      {{"HERALD_PASSWORD", "s3cret"}, {"HERALD_LOG_LEVEL", "warn"}}),
            "");
  const std::string printed = Printed();
  const auto line = [&printed](const std::string& start) {
    const size_t at = ("\n" + printed).find("\n" + start);
    if (at == std::string::npos) return "no line " + start;
    std::string found = printed.substr(at, printed.find('\n', at) - at);
    // Behind the indent of a secret, which begins with a # itself.
    for (size_t gap; (gap = found.find("  #", 3)) != std::string::npos;) found.erase(gap, 1);
    return found;
  };
  EXPECT_EQ(line("brokers"), "brokers: \"a:1,b:2\" # " + file + ":1");
  EXPECT_EQ(line("threads"), "threads: 2 # --threads");
  EXPECT_EQ(line("# password"), "# password: (set, not shown) # HERALD_PASSWORD");
  EXPECT_EQ(line("listen"), "listen: [\"127.0.0.1:8080\"] # default");
  EXPECT_EQ(line("guarantee"), "guarantee: \"exactly_once\" # default");
  EXPECT_EQ(line("stay_on_stop"), "stay_on_stop: false # default");
  EXPECT_EQ(line("  level"), "  level: \"warn\" # HERALD_LOG_LEVEL");
  EXPECT_EQ(line("  client.rack"), "  client.rack: \"r\" # " + file + ":3");
  EXPECT_EQ(line("  # ssl.key.password"),
            "  # ssl.key.password: (set, not shown) # " + file + ":3");
  EXPECT_EQ(line("  sasl.mechanism"), "  sasl.mechanism: \"PLAIN\" # -X");
  EXPECT_THAT(printed, Not(HasSubstr("s3cret")));
}

TEST_F(ConfigurationTest, WhatIsPrintedIsAFileThatMeansTheSame) {
  ASSERT_EQ(Configure({"--brokers", "b:1", "--threads", "2", "--listen", "h:1", "--listen", "h:2",
                       "-X", "linger.ms=\" \\ # :", "--users", "a: b #c", "--role", "process"}),
            "");
  const RunOptions before = options;
  ASSERT_EQ(Configure({"--config", File(Printed())}), "");
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_EQ(FieldTexts(options, key), FieldTexts(before, key)) << key.yaml;
  }
  EXPECT_EQ(options.parsed_properties, before.parsed_properties);
}

TEST(NearestWord, TakesSlipsAndNothingElse) {
  const std::vector<std::string> words = {"threads", "brokers", "role", "topic"};
  EXPECT_EQ(NearestWord("thread", words), "threads");
  EXPECT_EQ(NearestWord("borkers", words), "brokers");
  EXPECT_EQ(NearestWord("rloe", words), "role");
  EXPECT_EQ(NearestWord("root", words), "");
  EXPECT_EQ(NearestWord("", words), "");
  EXPECT_EQ(NearestWord(std::string(10'000, 'x'), words), "");
}

TEST(SecretProperties, AreKnownByTheirNames) {
  for (const char* name :
       {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "SASL.Password"}) {
    EXPECT_TRUE(IsSecretProperty(name)) << name;
  }
  EXPECT_FALSE(IsSecretProperty("sasl.username"));
  EXPECT_FALSE(IsSecretProperty("security.protocol"));
}

}  // namespace
}  // namespace app
