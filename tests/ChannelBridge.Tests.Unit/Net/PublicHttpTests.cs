using System.Net;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Net;

public sealed class PublicHttpTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private WebApplication _app = null!;
    private int _port;
    private int _hits;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        RequestDelegate count = context =>
        {
            Interlocked.Increment(ref _hits);
            return context.Request.Path.Value switch
            {
                "/file" => Write(context, "hello"),
                "/unsaid" => WriteUnsaidAsync(context),
                "/cut" => CutAsync(context),
                "/large" => Write(context, new string('x', 100_000)),
                "/away" => Redirect(context, $"http://127.0.0.2:{_port}/file"),
                "/there" => Redirect(context, "/file"),
                "/round" => Redirect(context, "/round"),
                _ => Task.FromResult(context.Response.StatusCode = 404),
            };
        };
        _app.Run(count);
        await _app.StartAsync();
        _port = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
    }

    public async Task DisposeAsync() => await _app.DisposeAsync();

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("2002:a00:1::", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2606:4700:4700::1111", true)]
    public void IsPublic_Address_TellsWhereItLeads(string address, bool expected) => Assert.Equal(expected, PublicAddresses.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public async Task PrivateAddress_IsRefused_AndNotConnectedTo()
    {
        using var http = new PublicHttp(Patience);
        await RefusedAsync(http, $"http://127.0.0.1:{_port}/file");
        await RefusedAsync(http, $"http://[::ffff:127.0.0.1]:{_port}/file");
        await RefusedAsync(http, $"http://localhost:{_port}/file");
        await RefusedAsync(http, "ftp://example.org/file");
        Assert.Equal(0, _hits);
    }

    /// <summary>A name is looked up when it is connected to, and what it gives then counts: looking it up before and again later is what rebinding needs.</summary>
    [Fact]
    public async Task NameThatLeadsToAPrivateAddress_IsRefused_AlsoAmongPublicOnes()
    {
        IPAddress[] answers = [IPAddress.Parse("8.8.8.8"), IPAddress.Loopback];
        using var http = new PublicHttp(Patience, resolve: (_, _) => Task.FromResult(answers));
        await RefusedAsync(http, $"http://files.example.org:{_port}/file");
        Assert.Equal(0, _hits);
    }

    [Fact]
    public async Task Redirects_AreFollowed_ButNotToAPrivateAddress_NorForEver()
    {
        using var http = new PublicHttp(Patience, address => address.Equals(IPAddress.Loopback));
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(http, "there", 1000));
        await RefusedAsync(http, $"http://127.0.0.1:{_port}/away");
        await RefusedAsync(http, $"http://127.0.0.1:{_port}/round");
    }

    /// <summary>A body without a length, larger than allowed, and one that breaks off: found while it is read, with the codes of the source and not of the disk.</summary>
    [Fact]
    public async Task Body_LongerThanAllowedOrBrokenOff_FailsWhileItIsRead()
    {
        using var http = new PublicHttp(Patience, _ => true);
        Assert.Equal(200_000, (await ReadAsync(http, "unsaid", 200_000)).Length);
        Assert.Equal(ErrorCodes.PayloadTooLarge, (await Assert.ThrowsAsync<BridgeException>(() => ReadAsync(http, "unsaid", 199_999))).Code);
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<BridgeException>(() => ReadAsync(http, "cut", 200_000))).Code);
    }

    private async Task<byte[]> ReadAsync(PublicHttp http, string path, long maxBytes)
    {
        await using var file = await http.OpenAsync(new Uri($"http://127.0.0.1:{_port}/{path}"), maxBytes, CancellationToken.None);
        using var all = new MemoryStream();
        await file.CopyToAsync(all);
        return all.ToArray();
    }

    private static async Task WriteUnsaidAsync(HttpContext context)
    {
        for (var i = 0; i < 20; i++)
        {
            await context.Response.Body.WriteAsync(new byte[10_000]);
            await context.Response.Body.FlushAsync();
        }
    }

    private static async Task CutAsync(HttpContext context)
    {
        context.Response.ContentLength = 100_000;
        await context.Response.Body.WriteAsync(new byte[10_000]);
        await context.Response.Body.FlushAsync();
        context.Abort();
    }

    [Fact]
    public async Task TooLarge_AndNotThere_HaveTheirCodes()
    {
        using var http = new PublicHttp(Patience, _ => true);
        var large = await Assert.ThrowsAsync<BridgeException>(() => ReadAsync(http, "large", 1000));
        Assert.Equal(ErrorCodes.PayloadTooLarge, large.Code);
        var missing = await Assert.ThrowsAsync<BridgeException>(() => ReadAsync(http, "nothing", 1000));
        Assert.Equal(ErrorCodes.Unavailable, missing.Code);
    }

    private static async Task RefusedAsync(PublicHttp http, string url)
    {
        var fault = await Assert.ThrowsAsync<BridgeException>(() => http.OpenAsync(new Uri(url), 1000, CancellationToken.None));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
    }

    private static Task Write(HttpContext context, string text) => context.Response.WriteAsync(text);

    private static Task Redirect(HttpContext context, string location)
    {
        context.Response.Redirect(location);
        return Task.CompletedTask;
    }
}
