using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Access;
using ChannelBridge.Tests.Unit.Wire;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Endpoints;

/// <summary>HTTP endpoints of a channel on a real listener.</summary>
public sealed class HttpEndpointTests
{
    private const string PeerToken = "peer-token-0123456789";
    private const string OtherToken = "other-token-0123456789";

    [Fact]
    public async Task An_endpoint_answers_with_what_it_was_given()
    {
        await using var lab = await LabAsync(new TestSource().Get("/t/{id}", async (exchange, _) =>
        {
            var request = exchange.Request;
            await exchange.AnswerAsync(new HttpAnswer
            {
                Status = 201,
                ContentType = "text/plain",
                Content = Encoding.UTF8.GetBytes(
                    $"{request.Verb} {request.Path} {request.PathValue("id")} {request.QueryValue("q")} {request.Header("X-One")} {exchange.Caller?.Name}"),
                Headers = [new("X-Two", "2"), new("Content-Length", "1")],
            });
        }));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/t/a%20b?q=%C3%A4&r=1");
        request.Headers.Add("X-One", "one");
        using var answer = await lab.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal("2", answer.Headers.GetValues("X-Two").Single());
        Assert.Equal("GET /t/a b a b ä one ", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_known_entity_tag_is_answered_without_the_content()
    {
        await using var lab = await LabAsync(new TestSource().Get("/card", (exchange, _) => exchange.AnswerAsync(HttpAnswer.Text("card") with { ETag = "v7" })));
        using var first = await lab.Client.GetAsync("/card");
        Assert.Equal("\"v7\"", first.Headers.ETag!.Tag);
        foreach (var (known, status) in new[] { ("\"v7\"", 304), ("W/\"v7\"", 304), ("\"v6\", \"v7\"", 304), ("*", 304), ("\"v6\"", 200), ("nonsense", 200) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/card");
            request.Headers.TryAddWithoutValidation("If-None-Match", known);
            using var answer = await lab.Client.SendAsync(request);
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal(status == 304 ? "" : "card", await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Verbs_and_paths_that_are_not_there_are_told_so()
    {
        await using var lab = await LabAsync(new TestSource().Text("/a", "a").Post("/a", (exchange, _) => exchange.AnswerAsync(HttpAnswer.Empty())));
        using var head = await lab.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/a"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        using var put = await lab.Client.PutAsync("/a", null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, put.StatusCode);
        Assert.Equal(["GET", "HEAD", "POST"], put.Content.Headers.Allow.Order());
        using var missing = await lab.Client.GetAsync("/b");
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task A_template_never_takes_the_hosts_own_paths()
    {
        await using var lab = await LabAsync(new TestSource().Text("/{*all}", "mine"));
        Assert.Equal("mine", await lab.Client.GetStringAsync("/anything/else"));
        using var rpc = await lab.Client.GetAsync("/rpc");
        Assert.Equal(HttpStatusCode.UpgradeRequired, rpc.StatusCode);
        using var socket = await lab.Client.GetAsync("/WS");
        Assert.Equal(HttpStatusCode.UpgradeRequired, socket.StatusCode);
    }

    [Theory]
    [InlineData("/t/../t/x")]
    [InlineData("/t/%2e%2e/t/x")]
    [InlineData("/t/a%2fb")]
    [InlineData("/t/%5cx")]
    [InlineData("/t/x%252f")]
    public async Task A_path_that_is_not_plain_is_refused(string path)
    {
        await using var lab = await LabAsync(new TestSource().Text("/t/{id}", "in").Text("/t/{id}/{more}", "in").Text("/{id}", "in"));
        Assert.StartsWith("HTTP/1.1 400 ", await lab.RawAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_a_token_with_the_scope_for_the_channel_is_let_in()
    {
        await using var lab = await LabAsync(new TestSource().Text("/peer", "in", TestSource.Peer).Text("/read", "in", EndpointAccess.Scope(Scopes.Read)));
        Assert.Equal((401, true), await AskAsync(lab, "/peer", null));
        var unknown = await lab.BodyAsync("/peer", "wrong-token");
        var wrong = await lab.BodyAsync("/peer", PeerToken + "x");
        Assert.Equal(unknown, wrong);
        Assert.Equal((401, true), await AskAsync(lab, "/peer", "wrong-token"));
        Assert.Equal((403, false), await AskAsync(lab, "/peer", WireHost.Token));
        Assert.Equal((403, false), await AskAsync(lab, "/peer", OtherToken));
        Assert.Equal((200, false), await AskAsync(lab, "/peer", PeerToken));
        Assert.Equal((403, false), await AskAsync(lab, "/read", PeerToken));
        Assert.Equal((200, false), await AskAsync(lab, "/read", WireHost.ReadToken));
    }

    [Fact]
    public async Task A_channels_own_check_decides_and_its_refusals_are_counted_for_the_identity()
    {
        var access = EndpointAccess.ByChannel((request, _) => ValueTask.FromResult(request.Header("X-Key") == "right"
            ? AccessVerdict.Allow(new Caller("device-1", Scopes.Peer, Door.Listener))
            : AccessVerdict.Refuse("Sign the request.", "device-1") with { Challenge = "Signature" }));
        await using var lab = await LabAsync(
            new TestSource().Get("/own", (exchange, _) => exchange.AnswerAsync(HttpAnswer.Text(exchange.Caller!.Name)), access), limits => limits.AuthFailuresPerMinute = 3);
        var statuses = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            using var answer = await lab.Client.GetAsync("/own");
            statuses.Add((int)answer.StatusCode);
        }

        Assert.Equal([401, 401, 401, 429, 429], statuses);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/own");
        request.Headers.Add("X-Key", "right");
        using var right = await lab.Client.SendAsync(request);
        // The right key is never refused for the failures of whoever else uses the name.
        Assert.Equal("device-1", await right.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Bodies_are_bounded_before_the_handler_sees_anything()
    {
        var called = 0;
        await using var lab = await LabAsync(new TestSource()
            .Post("/bytes", async (exchange, _) => await exchange.AnswerAsync(HttpAnswer.Text((await exchange.ReadBodyAsync()).Length.ToString())), maxBody: 1000)
            .Post("/json", (exchange, _) => { Interlocked.Increment(ref called); return exchange.AnswerAsync(HttpAnswer.Empty()); }, maxBody: 300_000, format: BodyFormat.Json));
        Assert.Equal("1000", await (await lab.Client.PostAsync("/bytes", new ByteArrayContent(new byte[1000]))).Content.ReadAsStringAsync());
        Assert.Equal(413, (int)(await lab.Client.PostAsync("/bytes", new ByteArrayContent(new byte[1001]))).StatusCode);
        foreach (var wrong in new[] { new string('[', 100) + new string(']', 100), "{", "{} {}", "{\"a\":1,\"a\":2}",
            $"{{{string.Join(",", Enumerable.Range(0, 5000).Select(i => $"\"m{i}\":1"))}}}" })
            Assert.Equal(400, (int)(await lab.Client.PostAsync("/json", new StringContent(wrong))).StatusCode);
        Assert.Equal(400, (int)(await lab.Client.PostAsync("/json", new ByteArrayContent([(byte)'"', 0xFF, (byte)'"']))).StatusCode);
        Assert.Equal(0, called);
        Assert.Equal(204, (int)(await lab.Client.PostAsync("/json", new StringContent("{\"a\":[1,2]}"))).StatusCode);
    }

    [Fact]
    public async Task Bodies_that_arrive_together_stay_inside_of_the_memory_for_messages()
    {
        await using var lab = await LabAsync(
            new TestSource().Post("/b", (exchange, _) => exchange.AnswerAsync(HttpAnswer.Empty()), maxBody: 4 << 20), limits => limits.MessageMemory = 1 << 20);
        // Refused before its body is read: a client that waits for "100 Continue" doesn't lose the answer to the end of a connection that it still writes to.
        using var large = new HttpRequestMessage(HttpMethod.Post, "/b") { Content = new ByteArrayContent(new byte[2 << 20]) };
        large.Headers.ExpectContinue = true;
        Assert.Equal(429, (int)(await lab.Client.SendAsync(large)).StatusCode);
        Assert.Equal(204, (int)(await lab.Client.PostAsync("/b", new ByteArrayContent(new byte[512 * 1024]))).StatusCode);
    }

    [Fact]
    public async Task A_body_that_drips_is_given_up()
    {
        await using var lab = await LabAsync(
            new TestSource().Post("/b", (exchange, _) => exchange.AnswerAsync(HttpAnswer.Empty())), limits => limits.MessageTimeout = TimeSpan.FromMilliseconds(300));
        using var socket = await lab.ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes("POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na"));
        Assert.Contains("too slowly", await Lab.ReadAsync(socket), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_operation_has_a_rate_for_each_caller()
    {
        await using var lab = await LabAsync(new TestSource().Add(new HttpEndpoint
        {
            Verbs = ["GET"],
            Path = "/r",
            Access = EndpointAccess.Scope(Scopes.Read),
            Rate = new EndpointRate(0.001, 2),
            Handler = (exchange, _) => exchange.AnswerAsync(HttpAnswer.Empty()),
        }));
        int[] statuses = [await StatusAsync(WireHost.ReadToken), await StatusAsync(WireHost.ReadToken), await StatusAsync(WireHost.ReadToken)];
        Assert.Equal(new[] { 204, 204, 429 }, statuses);
        Assert.Equal(204, await StatusAsync(WireHost.Token));
        async Task<int> StatusAsync(string token) => (await AskAsync(lab, "/r", token)).Status;
    }

    [Fact]
    public async Task Faults_of_a_handler_are_answered_without_their_words_and_errors_with_their_code()
    {
        await using var lab = await LabAsync(new TestSource()
            .Get("/crash", (_, _) => throw new InvalidOperationException("secret of the house"))
            .Get("/busy", (_, _) => throw BridgeException.Busy("Full.", TimeSpan.FromSeconds(3)))
            .Get("/nothing", (_, _) => default));
        using var crash = await lab.Client.GetAsync("/crash");
        Assert.Equal(500, (int)crash.StatusCode);
        Assert.DoesNotContain("secret", await crash.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var busy = await lab.Client.GetAsync("/busy");
        Assert.Equal(429, (int)busy.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(3), busy.Headers.RetryAfter!.Delta);
        Assert.Equal("{\"error\":{\"code\":\"BUSY\",\"message\":\"Full.\",\"retryable\":true,\"retryAfterMs\":3000}}", await busy.Content.ReadAsStringAsync());
        using var nothing = await lab.Client.GetAsync("/nothing");
        Assert.Equal(500, (int)nothing.StatusCode);
    }

    [Fact]
    public async Task Pages_of_other_origins_are_refused_unless_the_endpoint_wants_them()
    {
        await using var lab = await LabAsync(new TestSource().Text("/a", "a").Add(new HttpEndpoint
        {
            Verbs = ["GET"],
            Path = "/any",
            Access = EndpointAccess.Anonymous,
            AnyOrigin = true,
            Handler = (exchange, _) => exchange.AnswerAsync(HttpAnswer.Empty()),
        }));
        Assert.Equal(403, await StatusAsync("/a"));
        Assert.Equal(204, await StatusAsync("/any"));
        async Task<int> StatusAsync(string path)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Add("Origin", "https://evil.example");
            using var answer = await lab.Client.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    [Fact]
    public async Task Sources_come_and_go_while_the_host_runs()
    {
        var first = new TestSource("first").Text("/a", "first");
        await using var lab = await LabAsync(first);
        var entered = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        var second = new TestSource("second").Get("/b", async (exchange, token) =>
        {
            var events = await exchange.BeginEventsAsync();
            await events.WriteAsync(new ServerEvent("1"u8.ToArray()));
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => ended.SetResult(), TaskScheduler.Default);
        });
        var registry = lab.Host.Services.GetRequiredService<IRegistry>();
        var added = registry.Add([second]);
        using var stream = await lab.Client.GetAsync("/b", HttpCompletionOption.ResponseHeadersRead);
        await entered.Task;
        Assert.Throws<InvalidOperationException>(() => registry.Add([new TestSource("third").Text("/a", "third")]));
        Assert.Equal("first", await lab.Client.GetStringAsync("/a"));
        added.Dispose();
        await ended.Task.WaitAsync(WireHost.Timeout);
        using var gone = await lab.Client.GetAsync("/b");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task Two_sources_with_one_path_stop_the_start()
    {
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => LabAsync(new TestSource("one").Text("/a/{x}", ""), null, new TestSource("two").Text("/a/{y}", "")));
        Assert.Contains("'/a/{x}' of the channel one", fault.Message, StringComparison.Ordinal);
    }

    internal static async Task<Lab> LabAsync(TestSource source, Action<ChannelBridge.Endpoints.EndpointLimits>? limits = null, params TestSource[] more)
    {
        var host = await WireHost.StartAsync(
            bounds =>
            {
                bounds.LimitLoopback = true;
                bounds.AuthFailuresPerMinute = 1000;
                limits?.Invoke(bounds);
            },
            more: services =>
            {
                foreach (var one in more.Prepend(source)) services.AddSingleton<IContributor>(one);
                services.AddSingleton<ITokenAuthority>(new TokenAuthority([
                    AccessToken.FromToken("first", WireHost.Token, Scopes.All),
                    AccessToken.FromToken("reader", WireHost.ReadToken, Scopes.Read),
                    new AccessToken("peer", Hash(PeerToken), Scopes.Peer) { Channels = Set("test") },
                    new AccessToken("other", Hash(OtherToken), Scopes.Peer) { Channels = Set("elsewhere") },
                ]));
            });
        return new Lab(host);
    }

    private static HashSet<string> Set(string value) => [value];

    private static byte[] Hash(string token) => System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private static async Task<(int Status, bool Challenged)> AskAsync(Lab lab, string path, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await lab.Client.SendAsync(request);
        return ((int)answer.StatusCode, answer.Headers.WwwAuthenticate.Count > 0);
    }

    internal sealed class Lab(WireHost host) : IAsyncDisposable
    {
        public WireHost Host => host;

        public HttpClient Client { get; } = new() { BaseAddress = new Uri(host.Address.ToString().Replace("ws:", "http:", StringComparison.Ordinal)), Timeout = WireHost.Timeout };

        public static async Task<string> ReadAsync(Socket socket)
        {
            var buffer = new byte[64 * 1024];
            var text = new StringBuilder();
            using var timeout = new CancellationTokenSource(WireHost.Timeout);
            while (await socket.ReceiveAsync(buffer, timeout.Token) is var count && count > 0)
            {
                text.Append(Encoding.UTF8.GetString(buffer, 0, count));
                if (text.ToString().Contains("\r\n\r\n{", StringComparison.Ordinal) && text[^1] == '}') break;
            }

            return text.ToString();
        }

        public async Task<Socket> ConnectAsync()
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(host.Address.Host, host.Address.Port);
            return socket;
        }

        public async Task<string> RawAsync(string request)
        {
            using var socket = await ConnectAsync();
            await socket.SendAsync(Encoding.UTF8.GetBytes(request));
            return await ReadAsync(socket);
        }

        public async Task<string> BodyAsync(string path, string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var answer = await Client.SendAsync(request);
            return await answer.Content.ReadAsStringAsync();
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await host.DisposeAsync();
        }
    }
}
