package herald.peer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The command line. */
record Flags(
    String bootstrap,
    String applicationId,
    Path stateDir,
    int threads,
    String guarantee,
    int commitIntervalMs,
    String listen,
    Path readyFile,
    String instanceId,
    int partitions,
    String notifications,
    int inboxItemsMax,
    int httpThreads,
    int rocksdbCacheMib,
    int storeCacheMib,
    boolean usersOnDisk,
    Map<String, String> properties) {

  static final String USAGE =
      """
      usage: run --bootstrap HOST:PORT --state-dir DIR [options]
        --application-id ID      group and prefix of the changelogs (default kafka-streams-peer)
        --threads N              stream threads (default 1)
        --guarantee G            exactly_once_v2 or at_least_once (default exactly_once_v2)
        --commit-interval-ms N   (default 100)
        --listen HOST:PORT       0 is a free port (default 127.0.0.1:0)
        --ready-file FILE        written once running: {"http":"127.0.0.1:8080","pid":1}
        --instance-id ID         static membership under this name (default: none)
        --partitions N           of topics that are missing (default 4)
        --notifications TOPIC    where notifications go (default notifications)
        --inbox-items-max N      (default 100000, Herald's)
        --http-threads N         (default 4)
        --rocksdb-cache-mib N    block cache and memtables of all stores together (default 128)
        --store-cache-mib N      Kafka Streams' own cache before the stores (default 32)
        --users-store S          memory or disk (default memory)
        -X KEY=VALUE             a property of Kafka Streams, repeatable
      """;

  /** Throws IllegalArgumentException, whose message names the flag. */
  static Flags parse(String[] arguments) {
    Map<String, String> given = new LinkedHashMap<>();
    List<String> properties = new ArrayList<>();
    for (int i = 0; i < arguments.length; i += 2) {
      if (i + 1 == arguments.length) {
        throw new IllegalArgumentException(arguments[i] + " needs a value");
      }
      if (arguments[i].equals("-X")) {
        properties.add(arguments[i + 1]);
      } else {
        given.put(arguments[i], arguments[i + 1]);
      }
    }
    Flags flags =
        new Flags(
            text(given, "--bootstrap", null),
            text(given, "--application-id", "kafka-streams-peer"),
            Path.of(text(given, "--state-dir", null)),
            number(given, "--threads", 1),
            oneOf(given, "--guarantee", "exactly_once_v2", "at_least_once"),
            number(given, "--commit-interval-ms", 100),
            text(given, "--listen", "127.0.0.1:0"),
            given.containsKey("--ready-file") ? Path.of(given.remove("--ready-file")) : null,
            given.remove("--instance-id"),
            number(given, "--partitions", 4),
            text(given, "--notifications", "notifications"),
            number(given, "--inbox-items-max", 100_000),
            number(given, "--http-threads", 4),
            number(given, "--rocksdb-cache-mib", 128),
            number(given, "--store-cache-mib", 32),
            oneOf(given, "--users-store", "memory", "disk").equals("disk"),
            pairs(properties));
    if (!given.isEmpty()) {
      throw new IllegalArgumentException("unknown flag " + given.keySet().iterator().next());
    }
    return flags;
  }

  private static String text(Map<String, String> given, String flag, String otherwise) {
    String value = given.containsKey(flag) ? given.remove(flag) : otherwise;
    if (value == null) {
      throw new IllegalArgumentException(flag + " is missing");
    }
    return value;
  }

  private static int number(Map<String, String> given, String flag, int otherwise) {
    String value = text(given, flag, Integer.toString(otherwise));
    try {
      int number = Integer.parseInt(value);
      if (number > 0) {
        return number;
      }
    } catch (NumberFormatException error) {
      // Said below.
    }
    throw new IllegalArgumentException(flag + " is not a positive number: " + value);
  }

  private static String oneOf(Map<String, String> given, String flag, String first, String other) {
    String value = text(given, flag, first);
    if (!value.equals(first) && !value.equals(other)) {
      throw new IllegalArgumentException(flag + " is neither " + first + " nor " + other);
    }
    return value;
  }

  private static Map<String, String> pairs(List<String> properties) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (String property : properties) {
      int sign = property.indexOf('=');
      if (sign <= 0) {
        throw new IllegalArgumentException("-X is not KEY=VALUE: " + property);
      }
      pairs.put(property.substring(0, sign), property.substring(sign + 1));
    }
    return pairs;
  }
}
