using ChannelBridge.Bench;

// One command, one table: each row runs floor and subject in turn, in the same minute on the same cores, with the same client.
return args switch
{
    ["floor-server", var port] => await FloorServer.RunAsync(int.Parse(port)),
    ["--help"] or ["-h"] => Help(),
    _ => await Suite.RunAsync(args),
};

static int Help()
{
    Console.WriteLine(
        """
        channelbridge-bench [ROW…] [--seconds N] [--runs N] [--in-flight N,N] [--minutes N] [--conversations N]

        Runs the host beside what a user would compare it with, and prints a ratio for each row.

          acks      durable inbound acks beside a bare Kestrel echo, by messages in flight
          drain     what waits in the outbox, pushed and acked, beside the same echo
          disk      the same acks beside raw appends with fsync
          idle      memory with nothing to do, and of ten thousand idle connections
          start     from the start of the process until it is ready
          stuck     the answers of 999 conversations with and without one whose bridge never acks
          broker    publish, consume, ack: beside RabbitMQ with confirms (needs Debian's rabbitmq-server)
          cold      memory for a thousand active conversations with a million stored, beside a thousand stored (some minutes)
          steady    half of the peak for some minutes: memory and p99 of the first and the last third

          dotnet run -c Release --project bench/ChannelBridge.Bench                 all but cold and steady, some ten minutes
          dotnet run -c Release --project bench/ChannelBridge.Bench -- acks --seconds 10 --runs 5
          dotnet run -c Release --project bench/ChannelBridge.Bench -- steady --minutes 10
        """);
    return 0;
}
