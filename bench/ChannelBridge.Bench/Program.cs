using ChannelBridge.Bench;
using ChannelBridge.Bench.Simulation;

// One command, one table: each row runs floor and subject in turn, in the same minute on the same cores, with the same client.
return args switch
{
    ["floor-server", var port] => await FloorServer.RunAsync(int.Parse(port)),
    ["file-floor", var port] => await FileFloor.RunAsync(int.Parse(port)),
    ["endpoint-floor", var port] => await EndpointServer.BareAsync(int.Parse(port)),
    ["endpoint-host", var port, var data] => await EndpointServer.HostAsync(int.Parse(port), data),
    ["a2a-host", var port, var data] => await A2AServer.RunAsync(int.Parse(port), data),
    ["juji-floor", var port] => await JujiServer.BareAsync(int.Parse(port)),
    ["juji-host", var port, var data] => await JujiServer.HostAsync(int.Parse(port), data),
    ["work-inside", var port, var data] => await PluginServer.HostAsync(int.Parse(port), data, inside: true),
    ["work-host", var port, var data] => await PluginServer.HostAsync(int.Parse(port), data, inside: false),
    ["work-plugin", _] => await PluginServer.PluginAsync(args),
    ["pipe-echo"] => PipeFloor.Echo(),
    ["pipe-events", var count, var bytes] => PipeFloor.Events(long.Parse(count), int.Parse(bytes)),
    ["wait"] => await PluginServer.WaitAsync(),
    ["provider-server", var port] => await ProviderServer.RunAsync(int.Parse(port)),
    ["simulate", .. var options] => Simulate(options),
    ["--help"] or ["-h"] => Help(),
    _ => await Suite.RunAsync(args),
};

static int Help()
{
    Console.WriteLine(
        """
        channelbridge-bench [ROW…] [--seconds N] [--runs N] [--in-flight N,N] [--minutes N] [--conversations N] [--file-mib N]

        Runs the host beside what a user would compare it with, and prints a ratio for each row.

          acks      durable inbound acks beside a bare Kestrel echo, by messages in flight
          drain     what waits in the outbox, pushed and acked, beside the same echo
          disk      the same acks beside raw appends with fsync
          idle      memory with nothing to do, and of ten thousand idle connections
          start     from the start of the process until it is ready
          stuck     the answers of 999 conversations with and without one whose bridge never acks
          broker    publish, consume, ack: beside RabbitMQ with confirms (needs Debian's rabbitmq-server)
          postgres  acks of one host and of three on PostgreSQL, beside a queue written with bare Npgsql (needs Debian's postgresql)
          plugins   a channel as a plugin's process beside the same inside the host, and bare pipes: accepts, pushes, events, a file of 1 GiB, idle memory; only when named
                    --only accept|push|events|file|idle for a part of it, --file-mib 128 for a smaller file
          endpoint  a channel's HTTP endpoint that answers 200 and nothing, beside bare Kestrel's
          identity  signatures verified a second, beside NSec alone and Node's crypto
          multiclaws  sessions with another host's agent beside the A2A sends alone, a thousand that wait, and how soon wait_all is answered; only when named
          devices   connect with a device, beside connect with a token
          juji      juji.call through two hosts beside a bare WebSocket echo, a broadcast beside bare sends, and the memory of members that say nothing;
                    --only calls|broadcast|members for a part of it
          aun       AUN's messages between two AIDs and to an agent, plain and sealed, logins, pulls, and the memory of idle connections
          aun-agent, aun-logins, aun-idle  parts of it alone; with --host …/channelbridge.dll another build's
          files     uploads and downloads beside bare ones, their memory, and messages beside them
          streams   Open Responses through the host beside the provider asked directly: latency, processor time, first tokens, memory
          allocations  bytes allocated for each event of a stream, in this process (part of streams)
          a2a       A2A's blocking sends and streams beside the JavaScript SDK's server (needs npm's @a2a-js/sdk 0.3.14 and express, as .ci/run installs them)
          a2a-streams  A2A's streams of an agent in the process beside the same server's, by events; with --host …/channelbridge-bench.dll beside another build's
          a2a-ended  resident memory after 100,000 ended tasks beside that after 1,000 (part of a2a)
          a2a-before  A2A's sends and streams, this build in turn with another one: a2a-before --host …/channelbridge.dll
          cold      memory for a thousand active conversations with a million stored, beside a thousand stored (some minutes)
          before    acks, drains, the whole way, juji.call and /v1/responses, this build in turn with another one, e.g. of the commit before a change of the hot path:
                    before --host ../old/src/ChannelBridge.Host/bin/Release/net10.0/channelbridge.dll --runs 5 --seconds 15
                    --only acks|drain|whole|juji|responses for a part of it
          steady    half of the peak for some minutes: memory and p99 of the first and the last third

          dotnet run -c Release --project bench/ChannelBridge.Bench                 all but those of a2a, before, cold, plugins and steady, some ten minutes
          dotnet run -c Release --project bench/ChannelBridge.Bench -- acks --seconds 10 --runs 5
          dotnet run -c Release --project bench/ChannelBridge.Bench -- steady --minutes 10
          dotnet run -c Release --project bench/ChannelBridge.Bench -- simulate     a million lanes on 32 hosts that die and hang, over a model of the claims
          dotnet run -c Release --project bench/ChannelBridge.Bench -- simulate --hosts 100 --rate 10000 --seed 7
        """);
    return 0;
}

static int Simulate(string[] options)
{
    var settings = new ClaimSimulation.Settings();
    for (var index = 0; index + 1 < options.Length; index += 2)
    {
        var value = double.Parse(options[index + 1], System.Globalization.CultureInfo.InvariantCulture);
        settings = options[index] switch
        {
            "--lanes" => settings with { Lanes = (int)value },
            "--hosts" => settings with { Hosts = (int)value },
            "--rate" => settings with { Rate = value },
            "--seconds" => settings with { Seconds = value },
            "--turn" => settings with { TurnSeconds = value },
            "--fault-every" => settings with { FaultEvery = value },
            "--sticky" => settings with { Sticky = value },
            "--seed" => settings with { Seed = (int)value },
            var other => throw new ArgumentException($"there is no option '{other}'"),
        };
    }

    foreach (var row in new ClaimSimulation(settings).Run()) Console.WriteLine($"| {row[0],-74} | {row[1],-42} |");
    return 0;
}
