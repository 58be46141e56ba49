using System.Net;
using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Core.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Net;

/// <summary>Requests to addresses that others have named.</summary>
public sealed class GuardedHttpTests : IAsyncLifetime
{
    private static readonly string[] Loopback = ["127.0.0.1"];

    private readonly List<string> _seen = [];
    private WebApplication _app = null!;
    private int _port;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            lock (_seen) _seen.Add($"{context.Request.Method} {context.Request.Path} {context.Request.Headers.Authorization}{context.Request.Headers["X-Key"]} {body}");
            switch (context.Request.Path.Value)
            {
                case "/see": Redirect(303, "/end"); break;
                case "/keep": Redirect(307, "/end"); break;
                case "/away": Redirect(307, $"http://localhost:{_port}/end"); break;
                case "/private": Redirect(302, $"http://127.0.0.2:{_port}/end"); break;
                case "/round": Redirect(302, "/round"); break;
                case "/large": await context.Response.WriteAsync(new string('x', 5000)); break;
                case "/events":
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.WriteAsync("data: one\r\n\r\nid: 7\nevent: e\ndata: two\ndata: lines\n\n: ping\n\ndata: cut off");
                    break;
                default: await context.Response.WriteAsync("end"); break;
            }

            void Redirect(int status, string location)
            {
                context.Response.StatusCode = status;
                context.Response.Headers.Location = location;
            }
        });
        await _app.StartAsync();
        _port = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
    }

    public async Task DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public async Task A_post_arrives_where_it_may()
    {
        using var http = new GuardedHttp(TimeProvider.System);
        await using var answer = await http.SendAsync(Post("/in") with { Headers = [new("Authorization", "Bearer secret")] });
        Assert.Equal((200, "end"), (answer.Status, Encoding.UTF8.GetString((await answer.ReadAsync()).Span)));
        Assert.Equal(["POST /in Bearer secret body"], _seen);
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/")]
    [InlineData("http://localhost:{0}/")]
    [InlineData("http://[::ffff:127.0.0.1]:{0}/")]
    [InlineData("http://user@127.0.0.1:{0}/")]
    [InlineData("ftp://127.0.0.1:{0}/")]
    public async Task An_address_inside_is_not_public_and_gets_nothing(string url)
    {
        using var http = new GuardedHttp(TimeProvider.System);
        var fault = await Assert.ThrowsAsync<BridgeException>(() => http.SendAsync(new GuardedRequest { Url = new Uri(string.Format(null, url, _port)) }));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
        Assert.Empty(_seen);
    }

    [Fact]
    public async Task A_name_that_resolves_to_something_else_the_second_time_gains_nothing()
    {
        var looks = 0;
        using var http = new GuardedHttp(TimeProvider.System, (_, _) => Task.FromResult(new[] { IPAddress.Parse(looks++ == 0 ? "127.0.0.1" : "127.0.0.2") }));
        var url = new Uri($"http://rebound.example:{_port}/in");
        await using (await http.SendAsync(new GuardedRequest { Url = url, Networks = Loopback, Headers = [new("Connection", "close")] }))
        {
            // The first time it is what it may be.
        }

        await Assert.ThrowsAsync<BridgeException>(() => http.SendAsync(new GuardedRequest { Url = url, Networks = Loopback }));
        Assert.Single(_seen);
    }

    [Fact]
    public async Task Redirects_are_followed_where_allowed_without_secrets()
    {
        using var http = new GuardedHttp(TimeProvider.System);
        await using var unfollowed = await http.SendAsync(Post("/see"));
        Assert.Equal(303, unfollowed.Status);
        await using var followed =
            await http.SendAsync(
            Post("/see") with { MaxRedirects = 1, Headers = [new("Authorization", "secret"), new("X-Key", "secret")], Secrets = ["x-key"] });
        Assert.Equal((200, "/end"), (followed.Status, followed.Url.AbsolutePath));
        Assert.Equal("GET /end  ", _seen[^1]);
        await using var kept = await http.SendAsync(Post("/keep") with { MaxRedirects = 1 });
        Assert.Equal("POST /end  body", _seen[^1]);
        await using var last = await http.SendAsync(Post("/round") with { MaxRedirects = 3 });
        Assert.Equal(302, last.Status);
    }

    [Theory]
    [InlineData("/private")]
    [InlineData("/away")]
    public async Task Redirects_elsewhere_are_refused(string path)
    {
        using var http = new GuardedHttp(TimeProvider.System);
        await Assert.ThrowsAsync<BridgeException>(() => http.SendAsync(Post(path) with { MaxRedirects = 5 }));
        Assert.Single(_seen);
    }

    [Fact]
    public async Task Answers_and_events_are_bounded()
    {
        using var http = new GuardedHttp(TimeProvider.System);
        await using var large = await http.SendAsync(Post("/large") with { MaxBytes = 1000 });
        Assert.Equal(ErrorCodes.PayloadTooLarge, (await Assert.ThrowsAsync<BridgeException>(async () => await large.ReadAsync())).Code);
        await using var answer = await http.SendAsync(Post("/events"));
        var events = new List<string>();
        await foreach (var one in answer.ReadEventsAsync()) events.Add($"{one.Id} {one.Event} {Encoding.UTF8.GetString(one.Data.Span)}");
        Assert.Equal(["  one", "7 e two\nlines"], events);
        await using var narrow = await http.SendAsync(Post("/events") with { MaxBytes = 5 });
        await Assert.ThrowsAsync<BridgeException>(async () =>
        {
            await foreach (var _ in narrow.ReadEventsAsync())
            {
                // The second event is larger than the bound.
            }
        });
    }

    [Fact]
    public void Events_are_the_same_however_the_bytes_are_cut()
    {
        var text = Encoding.UTF8.GetBytes("\uFEFFdata: a\r\rdata:b\r\ndata\r\n\r\nid: 1\ndata: ü\n\n");
        for (var cut = 0; cut <= text.Length; cut++)
        {
            var parser = new EventParser(1000);
            var found = new List<string>();
            foreach (var part in new[] { text[..cut], text[cut..] })
            {
                for (var at = 0; at < part.Length;)
                {
                    at += parser.Feed(part.AsSpan(at), out var item);
                    if (item is { } one) found.Add(Encoding.UTF8.GetString(one.Data.Span));
                }
            }

            Assert.Equal(["a", "b\n", "ü"], found);
        }
    }

    private GuardedRequest Post(string path) => new()
    {
        Url = new Uri($"http://127.0.0.1:{_port}{path}"),
        Verb = "POST",
        Content = "body"u8.ToArray(),
        ContentType = "text/plain",
        Networks = Loopback,
    };
}
