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
        channelbridge-bench [ROW…] [--seconds N] [--runs N] [--in-flight N,N]

        Runs the host beside what a user would compare it with, and prints a ratio for each row. Rows: acks, drain, disk, idle, start (default: all).

          dotnet run -c Release --project bench/ChannelBridge.Bench                 everything, about five minutes
          dotnet run -c Release --project bench/ChannelBridge.Bench -- acks         durable inbound acks beside a bare Kestrel echo
          dotnet run -c Release --project bench/ChannelBridge.Bench -- acks --seconds 10 --runs 5
        """);
    return 0;
}
