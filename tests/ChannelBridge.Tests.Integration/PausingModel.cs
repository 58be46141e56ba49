using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>An OpenAI-compatible model that says a few words and then waits until it is told to go on: time enough to kill a host.</summary>
internal sealed class PausingModel : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;

    public PausingModel()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What <c>--agent</c> takes.</summary>
    public string Agent => $"chat-completions=http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

    /// <summary>Completes when a caller has hung up in the middle of an answer.</summary>
    public TaskCompletionSource HungUp { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends the answers.</summary>
    public void GoOn() => _goOn.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true) _ = AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            var buffer = new byte[64 * 1024];
            await stream.ReadAtLeastAsync(buffer, 1, throwOnEndOfStream: false, _stop.Token);
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"u8.ToArray(), _stop.Token);
            foreach (var word in new[] { "slow", " and", " steady" }) await SayAsync(stream, word);
            // A read that ends is a caller that has gone.
            var gone = stream.ReadAsync(buffer, _stop.Token).AsTask();
            if (await Task.WhenAny(gone, _goOn.Task) == gone)
            {
                HungUp.TrySetResult();
                return;
            }

            await SayAsync(stream, " wins");
            await stream.WriteAsync(
                "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"u8.ToArray(), _stop.Token);
        }
    }

    private async Task SayAsync(NetworkStream stream, string word) => await stream.WriteAsync(
        Encoding.UTF8.GetBytes(
            $$$"""data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"{{{word}}}"}}]}""" + "\n\n"),
        _stop.Token);
}
