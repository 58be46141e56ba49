using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>samples/channel-csharp as a process: its HTTP endpoint, event stream, WebSocket and setting. What docs/writing-a-channel.md says of them.</summary>
public sealed class SampleChannelTests
{
    /// <summary>Guards the way of a message over HTTP: accepted with a receipt, the same key once, the answer in the event stream.</summary>
    [Fact]
    public async Task Channel_Posted_AnswersInItsEventStream()
    {
        await using var sample = await Sample.StartAsync();
        using var reading = new CancellationTokenSource(HostProcess.Timeout);
        using var stream = await sample.Client.GetAsync("folder/alice/events", HttpCompletionOption.ResponseHeadersRead, reading.Token);
        Assert.Equal("text/event-stream", stream.Content.Headers.ContentType?.MediaType);
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync(reading.Token));

        using var first = await sample.PostAsync("alice", "hello", "one");
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        Assert.Contains("\"duplicate\":false", await first.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var again = await sample.PostAsync("alice", "hello", "one");
        Assert.Contains("\"duplicate\":true", await again.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        string? line;
        do line = await lines.ReadLineAsync(reading.Token);
        while (line?.StartsWith("data:", StringComparison.Ordinal) == false);
        Assert.Contains("echo: hello", line, StringComparison.Ordinal);
    }

    /// <summary>Guards the WebSocket: what it says is answered on it, and nobody without the token has one.</summary>
    [Fact]
    public async Task Channel_WebSocket_AnswersOnIt()
    {
        await using var sample = await Sample.StartAsync();
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var address = new UriBuilder(sample.Client.BaseAddress!) { Scheme = "ws", Path = "/folder/bob/socket" }.Uri;
        using var stranger = new ClientWebSocket();
        await Assert.ThrowsAsync<WebSocketException>(() => stranger.ConnectAsync(address, timeout.Token));

        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", sample.Client.DefaultRequestHeaders.Authorization!.ToString());
        await socket.ConnectAsync(address, timeout.Token);
        await socket.SendAsync(Encoding.UTF8.GetBytes("hello"), WebSocketMessageType.Text, true, timeout.Token);
        var buffer = new byte[1024];
        var received = await socket.ReceiveAsync(buffer, timeout.Token);
        Assert.Equal("echo: hello", Encoding.UTF8.GetString(buffer, 0, received.Count));
    }

    /// <summary>Guards the channel's own setting: it bounds a message, and a wrong one stops the start and is named.</summary>
    [Fact]
    public async Task Channel_Setting_TakesEffectAndIsChecked()
    {
        await using (var sample = await Sample.StartAsync("--Channels:Folder:MaxText=5"))
        {
            using var whole = await sample.PostAsync("alice", "12345", "one");
            Assert.Equal(HttpStatusCode.Accepted, whole.StatusCode);
            using var longer = await sample.PostAsync("alice", "123456", "two");
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, longer.StatusCode);
        }

        using var wrong = Sample.Run(Scratch.NewFolder("cbwrong"), "--Channels:Folder:MaxText=0");
        var errors = await wrong.StandardError.ReadToEndAsync().WaitAsync(HostProcess.Timeout);
        await wrong.WaitForExitAsync();
        Assert.Equal(3, wrong.ExitCode);
        Assert.Contains("Channels:Folder:MaxText", errors, StringComparison.Ordinal);
    }

    private sealed class Sample(Process process, HttpClient client) : IAsyncDisposable
    {
        public HttpClient Client => client;

        public static async Task<Sample> StartAsync(params string[] settings)
        {
            var folder = Scratch.NewFolder("cbsample");
            var process = Run(folder, settings);
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout));
            var url = await process.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout);
            var token = (await File.ReadAllTextAsync(Path.Combine(folder, "token"))).Trim();
            var client = new HttpClient { BaseAddress = new Uri(url!) };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            return new Sample(process, client);
        }

        public static Process Run(string folder, params string[] settings) =>
            Process.Start(new ProcessStartInfo("dotnet", [Program(), folder, .. settings]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

        public async Task<HttpResponseMessage> PostAsync(string name, string text, string key)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"folder/{name}") { Content = new StringContent(text) };
            request.Headers.Add("Idempotency-Key", key);
            return await client.SendAsync(request).WaitAsync(HostProcess.Timeout);
        }

        public async ValueTask DisposeAsync()
        {
            client.Dispose();
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        private static string Program([CallerFilePath] string here = "")
        {
            var tests = Path.GetDirectoryName(here)!;
            return Path.GetFullPath(Path.Combine(tests, "..", "..", "samples", "channel-csharp", Path.GetRelativePath(tests, AppContext.BaseDirectory), "channel-csharp.dll"));
        }
    }
}
