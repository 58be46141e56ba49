using System.Diagnostics;
using System.Globalization;
using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace ChannelBridge.Bench;

/// <summary>Beside a broker: what somebody would take who needs durable messages and builds the rest himself.</summary>
internal sealed partial class Suite
{
    private const int Unconfirmed = 64;
    private const string Server = "/usr/lib/rabbitmq/bin/rabbitmq-server";

    private int _brokerPort;
    private int _mapperPort;

    /// <summary>
    /// Durable 1 KB messages, 64 at a time: published with confirms to a durable queue, consumed and acked; here sent, pushed and acked. And the whole
    /// way, from what a user says to the ack of the agent's answer, which is two durable messages for the broker's one.
    /// </summary>
    private async Task BrokerAsync()
    {
        if (!File.Exists(Server))
        {
            Console.Error.WriteLine($"broker: {Server} isn't there; apt-get install rabbitmq-server. The row is left out.");
            return;
        }

        List<double> classic = [], quorum = [], sends = [], answers = [];
        var folder = Directory.CreateTempSubdirectory("cbbroker").FullName;
        using var server = await StartBrokerAsync(folder);
        try
        {
            for (var run = 0; run < _runs; run++)
            {
                Progress($"broker, run {run + 1} of {_runs}");
                classic.Add(await BrokerRateAsync("classic"));
                quorum.Add(await BrokerRateAsync("quorum"));
                await using var subject = await Subject.HostAsync();
                await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
                await bridge.ConverseAsync(Unconfirmed, 256, TimeSpan.FromSeconds(2), InboundTo);
                answers.Add((await bridge.ConverseAsync(Unconfirmed, 256, _duration, InboundTo)).Rate);
                await bridge.PublishAsync(Unconfirmed, TimeSpan.FromSeconds(1), number => Send(number, 256));
                sends.Add(await bridge.PublishAsync(Unconfirmed, _duration, number => Send(number, 256)));
            }
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync();

            // Erlang's port mapper outlives whoever started it.
            using var mapper = Process.Start("epmd", ["-port", $"{_mapperPort}", "-kill"]);
            await mapper.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }

        Add("publish, consume, ack of durable messages beside a quorum queue of RabbitMQ, 64 at a time", quorum, sends, "/s");
        Add("the same beside a classic queue, which needn't write what is acked at once", classic, sends, "/s");
        Add("the whole way, said, answered, pushed, acked, beside the quorum queue", quorum, answers, "/s");
    }

    private async Task<Process> StartBrokerAsync(string folder)
    {
        _brokerPort = Subject.FreePort();
        _mapperPort = Subject.FreePort();
        var start = new ProcessStartInfo(Server) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HOME"] = folder;
        start.Environment["RABBITMQ_NODENAME"] = $"bench{_brokerPort}@localhost";
        start.Environment["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1";
        start.Environment["RABBITMQ_NODE_PORT"] = _brokerPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["RABBITMQ_DIST_PORT"] = Subject.FreePort().ToString(CultureInfo.InvariantCulture);
        start.Environment["ERL_EPMD_PORT"] = _mapperPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["RABBITMQ_MNESIA_BASE"] = folder;
        start.Environment["RABBITMQ_LOG_BASE"] = folder;
        start.Environment["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "plugins");
        var server = Process.Start(start)!;
        var said = new StringBuilder();
        server.OutputDataReceived += (_, line) => said.AppendLine(line.Data);
        server.ErrorDataReceived += (_, line) => said.AppendLine(line.Data);
        server.BeginOutputReadLine();
        server.BeginErrorReadLine();
        for (var attempt = 0; attempt < 300 && !server.HasExited; attempt++)
        {
            try
            {
                await using var connection = await BrokerConnection().CreateConnectionAsync();
                return server;
            }
            catch (RabbitMQ.Client.Exceptions.BrokerUnreachableException)
            {
                await Task.Delay(200);
            }
        }

        if (!server.HasExited) server.Kill(entireProcessTree: true);
        throw new InvalidOperationException($"RabbitMQ didn't start:\n{said}");
    }

    private ConnectionFactory BrokerConnection() => new() { HostName = "127.0.0.1", Port = _brokerPort };

    private async Task<double> BrokerRateAsync(string type)
    {
        await using var connection = await BrokerConnection().CreateConnectionAsync();
        await using var publishing = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        await using var consuming = await connection.CreateChannelAsync();
        var queue = (await publishing.QueueDeclareAsync(
            $"q{Guid.NewGuid():N}", durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?> { ["x-queue-type"] = type })).QueueName;
        await consuming.BasicQosAsync(0, Unconfirmed, global: false);
        long consumed = 0;
        var consumer = new AsyncEventingBasicConsumer(consuming);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            await consuming.BasicAckAsync(delivery.DeliveryTag, multiple: false);
            Interlocked.Increment(ref consumed);
        };
        await consuming.BasicConsumeAsync(queue, autoAck: false, consumer);
        var body = Encoding.UTF8.GetBytes(Text);
        var properties = new BasicProperties { Persistent = true };
        using var stop = new CancellationTokenSource();
        var publishers = Enumerable.Range(0, Unconfirmed).Select(_ => PublishAsync()).ToArray();
        await Task.Delay(TimeSpan.FromSeconds(2));
        var (before, clock) = (Interlocked.Read(ref consumed), Stopwatch.StartNew());
        await Task.Delay(_duration);
        var rate = (Interlocked.Read(ref consumed) - before) / clock.Elapsed.TotalSeconds;
        await stop.CancelAsync();
        await Task.WhenAll(publishers);
        await publishing.QueueDeleteAsync(queue);
        return rate;

        async Task PublishAsync()
        {
            while (!stop.IsCancellationRequested) await publishing.BasicPublishAsync("", queue, mandatory: false, properties, body);
        }
    }
}
