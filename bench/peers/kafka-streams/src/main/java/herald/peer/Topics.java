package herald.peer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;

/** Names of topics, and making those that are missing. */
final class Topics {
  static final String EVENTS = "events";
  static final String USERS = "users";
  static final String DEAD_LETTERS = "dead-letters";

  private Topics() {}

  /** Returns how many partitions topic notifications has. */
  static int make(Flags flags) throws InterruptedException, ExecutionException {
    try (Admin admin =
        Admin.create(
            Map.<String, Object>of(
                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, flags.bootstrap()))) {
      Set<String> there = admin.listTopics().names().get();
      Map<String, NewTopic> missing = new HashMap<>();
      for (String name : List.of(EVENTS, USERS, flags.notifications(), DEAD_LETTERS)) {
        if (!there.contains(name)) {
          // With the brokers' own replication factor.
          NewTopic topic = new NewTopic(name, Optional.of(flags.partitions()), Optional.empty());
          if (name.equals(USERS)) {
            topic.configs(Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, "compact"));
          }
          missing.put(name, topic);
        }
      }
      for (var made : admin.createTopics(new ArrayList<>(missing.values())).values().values()) {
        try {
          made.get();
        } catch (ExecutionException error) {
          // Another instance was quicker.
          if (!(error.getCause() instanceof TopicExistsException)) {
            throw error;
          }
        }
      }
      return admin.describeTopics(List.of(flags.notifications()))
          .topicNameValues().get(flags.notifications()).get().partitions().size();
    }
  }
}
