package herald.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Wiring: topics, Kafka Streams, HTTP, the ready file, and the end by signal or failure. */
public final class Main {
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(30);

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Flags flags;
    try {
      flags = Flags.parse(arguments);
    } catch (IllegalArgumentException error) {
      System.err.println(error.getMessage() + "\n" + Flags.USAGE);
      System.exit(2);
      return;
    }
    if (flags.readyFile() != null) {
      Files.deleteIfExists(flags.readyFile());
    }
    int partitions = Topics.make(flags);
    Counters counters = new Counters();
    KafkaStreams streams =
        new KafkaStreams(InboxTopology.build(flags, counters), StreamsProperties.of(flags));
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch failed = new CountDownLatch(1);
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) {
            running.countDown();
          } else if (now == KafkaStreams.State.ERROR) {
            failed.countDown();
          }
        });
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    InboxServer server = new InboxServer(streams, counters, partitions, flags);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  server.close();
                  streams.close(CLOSE_TIMEOUT);
                }));
    streams.start();
    Thread announcer = new Thread(() -> announce(flags.readyFile(), server.address(), running));
    announcer.setDaemon(true);
    announcer.start();
    failed.await();
    System.err.println("kafka-streams-peer: Kafka Streams has failed, see above");
    System.exit(1);
  }

  private static void announce(Path file, String address, CountDownLatch running) {
    try {
      running.await();
      if (file == null) {
        return;
      }
      Path draft = file.resolveSibling(file.getFileName() + ".new");
      Files.writeString(
          draft,
          "{\"http\":\"" + address + "\",\"pid\":" + ProcessHandle.current().pid() + "}\n");
      Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    } catch (IOException error) {
      System.err.println("kafka-streams-peer: cannot write " + file + ": " + error);
    }
  }
}
